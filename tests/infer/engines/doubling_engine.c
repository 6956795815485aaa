/* An engine in C for engine_test.cpp, whose "network" doubles its input: what a plan gets and a run gives is known. */
#include <isocenter/infer/engine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct network {
  isocenter_inference_tensor output;
  int64_t count;
  char description[160];
} network;

static isocenter_status refuse(isocenter_error* error, isocenter_status status, const char* why) {
  error->code = status;
  snprintf(error->message, sizeof error->message, "%s", why);
  return status;
}

static isocenter_status plan(const isocenter_inference_request* request, isocenter_inference_plan* plan,
                             isocenter_error* error) {
  if (request->precision != ISOCENTER_INFERENCE_FLOAT32)
    return refuse(error, ISOCENTER_UNSUPPORTED, "it doubles in float32 alone");
  if (request->input_count != 1 || request->model_bytes == 0 || request->threads == 0)
    return refuse(error, ISOCENTER_INTERNAL, "the request is not whole");
  network* n = calloc(1, sizeof *n);
  if (n == NULL) return refuse(error, ISOCENTER_OUT_OF_MEMORY, "there is no memory");
  n->output = request->inputs[0];
  n->output.name = "doubled";
  n->count = 1;
  for (int i = 0; i < n->output.rank; ++i) n->count *= n->output.shape[i];
  snprintf(n->description, sizeof n->description, "doubling of '%s' on %s", request->inputs[0].name, request->device);
  plan->network = n;
  plan->outputs = &n->output;
  plan->output_count = 1;
  plan->description = n->description;
  plan->precision = "float32";
  plan->memory_bytes = sizeof *n;
  return ISOCENTER_OK;
}

static isocenter_status run(void* given, const void* const* inputs, void* const* outputs, void* stream,
                            isocenter_error* error) {
  const network* n = given;
  const float* in = inputs[0];
  float* out = outputs[0];
  (void)stream;
  for (int64_t i = 0; i < n->count; ++i) {
    if (in[i] == -999.0F) return refuse(error, ISOCENTER_BAD_DATA, "there is a -999. Fix: leave the volume out.");
    out[i] = 2.0F * in[i];
  }
  return ISOCENTER_OK;
}

static const isocenter_inference_engine table = {
    sizeof(isocenter_inference_engine), ENGINE_VERSION, "doubling", plan, run, free};

ISOCENTER_API const isocenter_inference_engine* isocenter_get_inference_engine(uint32_t version);
const isocenter_inference_engine* isocenter_get_inference_engine(uint32_t version) {
  return version == ENGINE_VERSION ? &table : NULL;
}
