/* Stands in for NVIDIA's driver, so that cuDNN can compile the engines that it makes when a graph is planned: it takes
   every kernel that it is given, has no device and runs nothing. The functions are those that cuDNN 9.19 looks up. */
#define NO_DEVICE 100
#define EXPORTED __attribute__((visibility("default")))
#define MISSING(name) \
  EXPORTED int name(void) { return NO_DEVICE; }

static int something;

EXPORTED int cuLibraryLoadData(void** library) {
  *library = &something;
  return 0;
}
EXPORTED int cuLibraryGetKernel(void** kernel) {
  *kernel = &something;
  return 0;
}
EXPORTED int cuLibraryUnload(void) { return 0; }
static int say(const char** text) {
  *text = "there is no device";
  return 0;
}
EXPORTED int cuGetErrorString(int error, const char** text) {
  (void)error;
  return say(text);
}
EXPORTED int cuGetErrorName(int error, const char** text) {
  (void)error;
  return say(text);
}

MISSING(cuInit)
MISSING(cuCtxGetCurrent)
MISSING(cuCtxGetLimit)
MISSING(cuCtxPopCurrent)
MISSING(cuCtxPushCurrent)
MISSING(cuDeviceGet)
MISSING(cuDeviceGetCount)
MISSING(cuDriverGetVersion)
MISSING(cuKernelGetAttribute)
MISSING(cuKernelSetAttribute)
MISSING(cuLaunchCooperativeKernel)
MISSING(cuLaunchKernel)
MISSING(cuLaunchKernelEx)
MISSING(cuLibraryLoadFromFile)
MISSING(cuLinkAddData)
MISSING(cuLinkComplete)
MISSING(cuLinkCreate)
MISSING(cuLinkDestroy)
MISSING(cuOccupancyMaxPotentialClusterSize)
MISSING(cuStreamGetCtx)
