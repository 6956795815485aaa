/* Isocenter: the binary contract. C99; C++ users include isocenter.hpp, the typed face over it.
 *
 * Rules that hold for every function:
 * - Handles are opaque and reference counted: create and retain add one, release takes one away, release(NULL) is fine.
 * - A function that can fail returns isocenter_status and, when `error` is not NULL, writes one sentence there that
 *   names what is wrong, where, with which value, and ends with "Fix: ...".
 * - Structures start with struct_size, which the caller sets to sizeof before every call; fields are only ever added at
 *   the end. What a caller has from an older version is read with zeros for what it lacks, and written no further than
 *   it reaches; in what a caller has from a newer version, the fields that this library does not know must be zero, and
 *   come back zero. A struct_size below the structure's first version, or above 65536, is ISOCENTER_INVALID_ARGUMENT,
 *   and nothing is written; an isocenter_error like that gets no message.
 * - Text is UTF-8. Functions that give text copy it as snprintf does: they return the length without the final zero.
 * - Operators, ports, parameters and devices go by name, so that a new one adds no symbol here.
 * - A context, a pipeline and a payload are used by one thread at a time; a session's push, pull, cancel and report may
 *   be called from any thread.
 */
#ifndef ISOCENTER_ISOCENTER_H
#define ISOCENTER_ISOCENTER_H

#include <stddef.h>
#include <stdint.h>

#define ISOCENTER_API __attribute__((visibility("default")))
#define ISOCENTER_VERSION_MAJOR 1
#define ISOCENTER_VERSION_MINOR 0
#define ISOCENTER_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status and errors ------------------------------------------------------------------------------------------ */

typedef int32_t isocenter_status;
enum {
  ISOCENTER_OK = 0,
  ISOCENTER_INVALID_ARGUMENT = 1, /* a parameter, name or wire that is never allowed */
  ISOCENTER_INVALID_STATE = 2,    /* the right call at the wrong time */
  ISOCENTER_NOT_FOUND = 3,        /* no such operator, node, port, device, module, file */
  ISOCENTER_BAD_DATA = 4,         /* the input itself is wrong */
  ISOCENTER_OUT_OF_MEMORY = 5,    /* the budget or the device is too small */
  ISOCENTER_DEVICE_LOST = 6,      /* the device failed; the session does not go on */
  ISOCENTER_UNSUPPORTED = 7,      /* valid, but not by this build or device */
  ISOCENTER_CANCELLED = 8,
  ISOCENTER_IO_ERROR = 9,       /* a file, folder, disk or connection */
  ISOCENTER_END_OF_STREAM = 10, /* no more items; not an error */
  ISOCENTER_TIMEOUT = 11,       /* nothing came within the time asked for; not an error */
  ISOCENTER_INTERNAL = 12
};

typedef struct isocenter_error {
  uint32_t struct_size;
  isocenter_status code;
  char message[2040];
} isocenter_error;

/* ---- Context: devices, modules, operators, the embedder's allocator, threads and log ----------------------------- */

typedef struct isocenter_context isocenter_context;

/* Host memory. Both functions are thread-safe; allocate returns NULL when there is none. Alignment is a power of two.
 */
typedef struct isocenter_allocator {
  uint32_t struct_size;
  void* user;
  void* (*allocate)(void* user, size_t bytes, size_t alignment);
  void (*release)(void* user, void* memory, size_t bytes);
} isocenter_allocator;

/* The threads that CPU work is spread over. parallel_for calls body over disjoint ranges that cover [0, count), each
 * of at least min(grain, count) but for the last, and returns when all are done; it may be called from several threads.
 */
typedef struct isocenter_threads {
  uint32_t struct_size;
  void* user;
  int32_t concurrency;
  void (*parallel_for)(void* user, int64_t count, int64_t grain, void (*body)(void* data, int64_t begin, int64_t end),
                       void* data);
} isocenter_threads;

enum { ISOCENTER_LOG_DEBUG = 0, ISOCENTER_LOG_INFO = 1, ISOCENTER_LOG_WARNING = 2, ISOCENTER_LOG_ERROR = 3 };

typedef struct isocenter_context_options {
  uint32_t struct_size;
  uint32_t flags;
  const isocenter_allocator* allocator;                        /* NULL: the system's */
  const isocenter_threads* threads;                            /* NULL: oneTBB with thread_count threads */
  int32_t thread_count;                                        /* 0: one for each core that this process may use */
  void (*log)(void* user, int32_t level, const char* message); /* NULL: silence */
  void* log_user;
  const char* module_path; /* folder of run-time modules; NULL: "isocenter" beside this library */
} isocenter_context_options;
enum { ISOCENTER_CONTEXT_NO_MODULES = 1 /* load no run-time module by itself */ };

ISOCENTER_API isocenter_status isocenter_context_create(const isocenter_context_options* options,
                                                        isocenter_context** context, isocenter_error* error);
ISOCENTER_API void isocenter_context_retain(isocenter_context* context);
ISOCENTER_API void isocenter_context_release(isocenter_context* context);

/* "1.0.0", the version of the library that was loaded. */
ISOCENTER_API const char* isocenter_version(void);

/* Loads one run-time module from a file; its operators and devices are then in the context. */
ISOCENTER_API isocenter_status isocenter_context_load_module(isocenter_context* context, const char* path,
                                                             isocenter_error* error);

typedef struct isocenter_module_info {
  uint32_t struct_size;
  int32_t loaded;
  const char* name;
  const char* path;
  const char* reason; /* why it is not loaded; "" when it is */
} isocenter_module_info;
ISOCENTER_API uint32_t isocenter_context_module_count(const isocenter_context* context);
ISOCENTER_API isocenter_status isocenter_context_module(const isocenter_context* context, uint32_t index,
                                                        isocenter_module_info* info, isocenter_error* error);

typedef struct isocenter_device_info {
  uint32_t struct_size;
  int32_t index;           /* among the devices of its type */
  const char* name;        /* "cpu", "cuda:0" */
  const char* type;        /* "cpu", "cuda" */
  const char* description; /* the maker's name of it */
  uint64_t memory_bytes;
} isocenter_device_info;
ISOCENTER_API uint32_t isocenter_context_device_count(const isocenter_context* context);
ISOCENTER_API isocenter_status isocenter_context_device(const isocenter_context* context, uint32_t index,
                                                        isocenter_device_info* info, isocenter_error* error);
/* Resolves "cpu", "cuda:0", "cuda" or "best". A named device that is not there is an error with the reason. A type
 * takes its first device, or of several processes that run together on one machine the n-th its n-th, counted around;
 * "best" takes the first type of GPU so, else the CPU. `why` says what was chosen and why not the rest. */
ISOCENTER_API isocenter_status isocenter_context_find_device(const isocenter_context* context, const char* name,
                                                             isocenter_device_info* info, char* why,
                                                             size_t why_capacity, isocenter_error* error);

/* ---- Payloads ---------------------------------------------------------------------------------------------------- */

/* What travels along an edge: named tensors, a geometry, attributes, a place in its stream. A payload whose tensors
 * have no data is a description; planning works on descriptions. */
typedef struct isocenter_payload isocenter_payload;

enum {
  ISOCENTER_VOLUME = 1,       /* tensor "voxels", axes among t c z y x */
  ISOCENTER_PROJECTIONS = 2,  /* tensor "views", axes "nvu": view, detector row, detector column */
  ISOCENTER_K_SPACE = 3,      /* tensor "samples" */
  ISOCENTER_CHANNEL_DATA = 4, /* tensor "channels" */
  ISOCENTER_SINOGRAM = 5,     /* tensor "bins" */
  ISOCENTER_LIST_MODE = 6,    /* tensor "events" */
  ISOCENTER_SEGMENTATION = 7, /* tensor "labels", uint8 or uint16, axes among t z y x */
  ISOCENTER_FRAMES = 8        /* tensor "pixels", uint8, axes "nyxc" (c = 3: sRGB) */
};

enum {
  ISOCENTER_UINT8 = 1,
  ISOCENTER_INT8 = 2,
  ISOCENTER_UINT16 = 3,
  ISOCENTER_INT16 = 4,
  ISOCENTER_INT32 = 5,
  ISOCENTER_FLOAT32 = 6,
  ISOCENTER_FLOAT64 = 7,
  ISOCENTER_COMPLEX64 = 8
};

#define ISOCENTER_MAX_RANK 6
typedef struct isocenter_tensor {
  uint32_t struct_size;
  int32_t dtype;
  int32_t rank;
  char axes[8];                        /* one letter an axis, slowest first, zero-terminated */
  int64_t shape[ISOCENTER_MAX_RANK];   /* slowest first */
  int64_t strides[ISOCENTER_MAX_RANK]; /* in elements; all zero: dense, last axis fastest */
  void* data;                          /* NULL: description only */
} isocenter_tensor;

/* Voxel (i, j, k) has its centre at origin + direction * (spacing .* (i, j, k)), in the DICOM patient frame (LPS), mm.
 * direction is row-major; its columns are the unit vectors of the x (i), y (j) and z (k) axes. Frame n of a time axis
 * is at time_origin + n * time_step. */
typedef struct isocenter_geometry {
  uint32_t struct_size;
  uint32_t reserved;
  double origin_mm[3];
  double direction[9];
  double spacing_mm[3];
  double time_origin_s;
  double time_step_s;
} isocenter_geometry;

ISOCENTER_API isocenter_status isocenter_payload_create(int32_t kind, isocenter_payload** payload,
                                                        isocenter_error* error);
ISOCENTER_API void isocenter_payload_retain(isocenter_payload* payload);
ISOCENTER_API void isocenter_payload_release(isocenter_payload* payload);
ISOCENTER_API int32_t isocenter_payload_kind(const isocenter_payload* payload);
/* A new payload with the same tensors' shapes, geometry and attributes, and no data. */
ISOCENTER_API isocenter_status isocenter_payload_copy_description(const isocenter_payload* payload,
                                                                  isocenter_payload** copy, isocenter_error* error);
/* Adds or replaces a tensor. With data, the payload only refers to it: it must outlive the payload, or be given an
 * owner below. */
ISOCENTER_API isocenter_status isocenter_payload_set_tensor(isocenter_payload* payload, const char* name,
                                                            const isocenter_tensor* tensor, isocenter_error* error);
ISOCENTER_API isocenter_status isocenter_payload_tensor(const isocenter_payload* payload, const char* name,
                                                        isocenter_tensor* tensor, isocenter_error* error);
/* `released(user)` is called when the payload goes: the owner of data that was set from outside. */
ISOCENTER_API isocenter_status isocenter_payload_set_owner(isocenter_payload* payload, void (*released)(void* user),
                                                           void* user, isocenter_error* error);
/* Says on which device the data lies that was set from outside; without it, on the host. */
ISOCENTER_API isocenter_status isocenter_payload_set_device(isocenter_payload* payload, isocenter_context* context,
                                                            const char* device, isocenter_error* error);
/* Gives every tensor without data memory on a device of the context, zeroed. */
ISOCENTER_API isocenter_status isocenter_payload_allocate(isocenter_payload* payload, isocenter_context* context,
                                                          const char* device, isocenter_error* error);
/* A copy on another device (or the same); waits until it is done. */
ISOCENTER_API isocenter_status isocenter_payload_copy_to(const isocenter_payload* payload, isocenter_context* context,
                                                         const char* device, isocenter_payload** copy,
                                                         isocenter_error* error);
/* The device's name ("cpu" for outside data and descriptions); of an input in plan, where the node before leaves it. */
ISOCENTER_API const char* isocenter_payload_device(const isocenter_payload* payload);
ISOCENTER_API isocenter_status isocenter_payload_set_geometry(isocenter_payload* payload,
                                                              const isocenter_geometry* geometry,
                                                              isocenter_error* error);
ISOCENTER_API isocenter_status isocenter_payload_geometry(const isocenter_payload* payload,
                                                          isocenter_geometry* geometry, isocenter_error* error);
/* Attributes: a flat list of key -> text or key -> float64 numbers. Well-known keys: "unit" ("HU", "1/mm", "SUV"),
 * "provenance" (JSON). NULL text or count 0 removes the key. */
ISOCENTER_API isocenter_status isocenter_payload_set_text(isocenter_payload* payload, const char* key, const char* text,
                                                          isocenter_error* error);
ISOCENTER_API isocenter_status isocenter_payload_set_numbers(isocenter_payload* payload, const char* key,
                                                             const double* numbers, size_t count,
                                                             isocenter_error* error);
/* NULL when there is no such text; valid until the attribute changes or the payload goes. */
ISOCENTER_API const char* isocenter_payload_text(const isocenter_payload* payload, const char* key);
ISOCENTER_API const double* isocenter_payload_numbers(const isocenter_payload* payload, const char* key, size_t* count);
ISOCENTER_API uint32_t isocenter_payload_attribute_count(const isocenter_payload* payload);
ISOCENTER_API const char* isocenter_payload_attribute_key(const isocenter_payload* payload, uint32_t index);
ISOCENTER_API void isocenter_payload_set_position(isocenter_payload* payload, int64_t sequence, double time_s);
ISOCENTER_API void isocenter_payload_position(const isocenter_payload* payload, int64_t* sequence, double* time_s);

/* ---- Operators --------------------------------------------------------------------------------------------------- */

enum {
  ISOCENTER_PARAMETER_NUMBER = 1,  /* float64 in [minimum, maximum] */
  ISOCENTER_PARAMETER_INTEGER = 2, /* int64 in [minimum, maximum] */
  ISOCENTER_PARAMETER_BOOL = 3,    /* true or false */
  ISOCENTER_PARAMETER_TEXT = 4,
  ISOCENTER_PARAMETER_CHOICE = 5, /* one of choices */
  ISOCENTER_PARAMETER_NUMBERS = 6 /* a list of float64, each in [minimum, maximum] */
};
enum { ISOCENTER_PARAMETER_REQUIRED = 1, ISOCENTER_PARAMETER_PATH = 2 };

typedef struct isocenter_parameter {
  uint32_t struct_size;
  uint32_t flags;
  int32_t type;
  uint32_t choice_count;
  const char* name;
  const char* unit;          /* "mm", "HU", "deg", ... or "" */
  const char* default_value; /* as it would be written in a file */
  double minimum;
  double maximum;
  const char* const* choices;
  const char* help;
} isocenter_parameter;

enum { ISOCENTER_PORT_OPTIONAL = 1 };
typedef struct isocenter_port {
  uint32_t struct_size;
  uint32_t flags;
  int32_t is_output;
  uint32_t kinds; /* bit (1 << kind) for each payload kind that is taken or given */
  const char* name;
  const char* help;
} isocenter_port;

/* What create gets: the parameters, all present, already checked against their descriptions. A name that the type does
 * not describe gives NaN, INT64_MIN or NULL. */
typedef struct isocenter_parameter_values isocenter_parameter_values;
ISOCENTER_API double isocenter_value_number(const isocenter_parameter_values* values, const char* name);
ISOCENTER_API int64_t isocenter_value_integer(const isocenter_parameter_values* values, const char* name);
ISOCENTER_API const char* isocenter_value_text(const isocenter_parameter_values* values, const char* name);
ISOCENTER_API const double* isocenter_value_numbers(const isocenter_parameter_values* values, const char* name,
                                                    size_t* count);

typedef struct isocenter_plan isocenter_plan; /* one node being planned */
typedef struct isocenter_run isocenter_run;   /* one node running one item */

enum {
  ISOCENTER_OPERATOR_HOST_ONLY = 1,  /* always runs on "cpu", whatever the session's device */
  ISOCENTER_OPERATOR_TAKES_SLABS = 2 /* takes volumes in slabs (isocenter/slabs.hpp); others get them joined */
};

typedef struct isocenter_operator_type {
  uint32_t struct_size;
  uint32_t flags;
  const char* name;   /* lower_snake_case */
  const char* module; /* "recon", or the maker's own */
  const char* version;
  const char* summary; /* one line */
  const char* help;    /* method, source, cost, errors */
  const isocenter_parameter* parameters;
  const isocenter_port* ports;
  uint32_t parameter_count;
  uint32_t port_count;
  void* user;
  isocenter_status (*create)(void* user, const isocenter_parameter_values* values, void** instance,
                             isocenter_error* error);
  isocenter_status (*plan)(void* instance, isocenter_plan* plan, isocenter_error* error);
  /* A source returns ISOCENTER_END_OF_STREAM when it has no further item. */
  isocenter_status (*run)(void* instance, const isocenter_run* run, isocenter_error* error);
  /* Called once, after the last item (completed = 1) or when the session was cancelled or failed (0); may be NULL. */
  isocenter_status (*finish)(void* instance, int32_t completed, isocenter_error* error);
  void (*destroy)(void* instance);
} isocenter_operator_type;

/* The structure and its parameters and ports are copied; the texts, choices and `user` that they point to must live as
 * long as the context. Elements of `parameters` and of `ports` lie as far apart as the first one's struct_size says,
 * and all have the same; parameters[i] is element i only for a caller with that very sizeof. */
ISOCENTER_API isocenter_status isocenter_register_operator(isocenter_context* context,
                                                           const isocenter_operator_type* type, isocenter_error* error);
ISOCENTER_API uint32_t isocenter_operator_count(const isocenter_context* context);
/* In the order of module, then name. */
ISOCENTER_API const isocenter_operator_type* isocenter_operator_at(const isocenter_context* context, uint32_t index);
ISOCENTER_API const isocenter_operator_type* isocenter_operator_find(const isocenter_context* context,
                                                                     const char* name);
/* Element `index` of what these two give, whatever the length of the library's structure; NULL behind the last. Fields
 * that lie beyond the element's struct_size are not there. */
ISOCENTER_API const isocenter_parameter* isocenter_operator_parameter(const isocenter_operator_type* type,
                                                                      uint32_t index);
ISOCENTER_API const isocenter_port* isocenter_operator_port(const isocenter_operator_type* type, uint32_t index);

/* Planning: what an operator may ask and must state. */
ISOCENTER_API isocenter_context* isocenter_plan_context(isocenter_plan* plan);
ISOCENTER_API const char* isocenter_plan_node(const isocenter_plan* plan);
ISOCENTER_API isocenter_status isocenter_plan_device(const isocenter_plan* plan, isocenter_device_info* info,
                                                     isocenter_error* error);
/* NULL when an optional port is not connected. */
ISOCENTER_API const isocenter_payload* isocenter_plan_input(const isocenter_plan* plan, const char* port);
/* The description to fill. It exists also when nobody listens. */
ISOCENTER_API isocenter_payload* isocenter_plan_output(isocenter_plan* plan, const char* port);
/* Whether something is connected to an output port, so that unneeded work can be left out. */
ISOCENTER_API int32_t isocenter_plan_output_used(const isocenter_plan* plan, const char* port);
/* Memory that lives during one run, on the node's device; aligned to 256 bytes. */
ISOCENTER_API void isocenter_plan_scratch(isocenter_plan* plan, uint64_t bytes);
/* Memory that lives as long as the session, allocated now, zeroed; freed by the session. */
ISOCENTER_API isocenter_status isocenter_plan_allocate(isocenter_plan* plan, uint64_t bytes, const char* purpose,
                                                       void** memory, isocenter_error* error);
/* Copies from host memory to such memory; waits until it is done. */
ISOCENTER_API isocenter_status isocenter_plan_upload(isocenter_plan* plan, void* to, const void* from, uint64_t bytes,
                                                     isocenter_error* error);
/* Host memory that a third-party library will take by itself during a run: counted, not allocated. */
ISOCENTER_API void isocenter_plan_declare_host_memory(isocenter_plan* plan, uint64_t bytes);
/* What is left on the node's device of the budget, or without one of 9/10 of a GPU's memory; on the CPU UINT64_MAX. */
ISOCENTER_API uint64_t isocenter_plan_memory_left(const isocenter_plan* plan);
/* The budget, or what the nodes before take where that is more; 0: none. */
ISOCENTER_API uint64_t isocenter_plan_memory_budget(const isocenter_plan* plan);
/* A source's number of items; -1 (the default) when it cannot know. */
ISOCENTER_API void isocenter_plan_items(isocenter_plan* plan, int64_t count);
/* A node with inputs that gives one item for every `count` that it takes (1 is the default). Its outputs are the same
 * payloads during the runs of items n * count to n * count + count - 1, and go on after the last one, as item n. When
 * one of them fails, the others are not run and item n fails. 0: it gives nothing in this process; what is behind it
 * neither runs nor gets memory. */
ISOCENTER_API void isocenter_plan_gather(isocenter_plan* plan, int64_t count);
/* A node with inputs that gives `count` items for every one that it takes: item n is run `count` times,
 * isocenter_run_part says for which of them, and they go on as items n * count to n * count + count - 1. If one fails,
 * those behind it fail too. A node that gathers as many works item for item: docs/architecture.md, "Batches". */
ISOCENTER_API void isocenter_plan_spread(isocenter_plan* plan, int64_t count);
/* Whether all that is connected to an output port takes volumes in slabs. */
ISOCENTER_API int32_t isocenter_plan_takes_slabs(const isocenter_plan* plan, const char* port);
/* For a node on a device: the tensors of this port, an input or an output, stay in host memory, and run brings what it
 * needs of them to the device and back (isocenter_run_copy). What isocenter_plan_memory_left says grows by what an
 * input would have taken. On the CPU it changes nothing. */
ISOCENTER_API isocenter_status isocenter_plan_keep_on_host(isocenter_plan* plan, const char* port,
                                                           isocenter_error* error);
/* Host memory that lives during one run, beside isocenter_plan_scratch; aligned to 256 bytes, and fast to copy to and
 * from the node's device where the device has such memory left. */
ISOCENTER_API void isocenter_plan_host_scratch(isocenter_plan* plan, uint64_t bytes);
/* What is left of the budget in host memory; UINT64_MAX without one. */
ISOCENTER_API uint64_t isocenter_plan_host_memory_left(const isocenter_plan* plan);
/* Declares a metric of `count` numbers, set during runs and reported with the last item's values. */
ISOCENTER_API void isocenter_plan_metric(isocenter_plan* plan, const char* name, const char* unit, uint32_t count);
/* A fact for the report and the provenance: what was read, a model's hash. */
ISOCENTER_API void isocenter_plan_fact(isocenter_plan* plan, const char* key, const char* text);
/* Something that the user can act on. */
ISOCENTER_API void isocenter_plan_warn(isocenter_plan* plan, const char* what, const char* fix);
/* ISOCENTER_OK when the node's device has this kernel with arguments of this size, or is the CPU. */
ISOCENTER_API isocenter_status isocenter_plan_require_kernel(const isocenter_plan* plan, const char* kernel,
                                                             uint64_t args_bytes, isocenter_error* error);

/* What CPU kernels are spread over, and where device kernels are found: see isocenter_device_type. */
typedef struct isocenter_launcher {
  uint32_t struct_size;
  uint32_t reference_only; /* ISOCENTER_KERNELS=reference was set when the context was made */
  void (*parallel_for)(void* pool, int64_t count, int64_t grain, void (*body)(void* data, int64_t begin, int64_t end),
                       void* data);
  void* pool;
  const void* (*find)(void* device, const char* name); /* NULL on the CPU */
  void* device;
  void* stream; /* cudaStream_t on CUDA, NULL on the CPU */
  int32_t concurrency;
  uint32_t reserved; /* 0 */
} isocenter_launcher;
ISOCENTER_API isocenter_status isocenter_plan_launcher(const isocenter_plan* plan, isocenter_launcher* launcher,
                                                       isocenter_error* error);

/* Running: nothing here allocates. */
ISOCENTER_API const isocenter_payload* isocenter_run_input(const isocenter_run* run, const char* port);
ISOCENTER_API isocenter_payload* isocenter_run_output(const isocenter_run* run, const char* port);
ISOCENTER_API void* isocenter_run_scratch(const isocenter_run* run);
ISOCENTER_API void* isocenter_run_host_scratch(const isocenter_run* run);
ISOCENTER_API isocenter_status isocenter_run_launcher(const isocenter_run* run, isocenter_launcher* launcher,
                                                      isocenter_error* error);
/* A node's two streams on its device: kernels go to the first, which is isocenter_launcher's; copies may go to the
 * other one, beside them. On the CPU everything is done when the call returns. */
enum { ISOCENTER_STREAM_MAIN = 0, ISOCENTER_STREAM_BESIDE = 1 };
/* Enqueues a copy between host and device memory, in any direction. */
ISOCENTER_API isocenter_status isocenter_run_copy(const isocenter_run* run, void* to, const void* from, uint64_t bytes,
                                                  int32_t stream, isocenter_error* error);
/* What is enqueued on `stream` from here on begins when what the other one has so far is done. */
ISOCENTER_API isocenter_status isocenter_run_follow(const isocenter_run* run, int32_t stream, isocenter_error* error);
/* Returns when all that `stream` has is done: before the host reads what was copied to it. */
ISOCENTER_API isocenter_status isocenter_run_wait(const isocenter_run* run, int32_t stream, isocenter_error* error);
ISOCENTER_API int32_t isocenter_run_cancelled(const isocenter_run* run);
ISOCENTER_API void isocenter_run_progress(const isocenter_run* run, double fraction);
ISOCENTER_API void isocenter_run_metric(const isocenter_run* run, const char* name, const double* numbers,
                                        uint32_t count);
ISOCENTER_API void isocenter_run_warn(const isocenter_run* run, const char* what, const char* fix);
/* The item's place in the stream: 0, 1, 2, ... */
ISOCENTER_API int64_t isocenter_run_sequence(const isocenter_run* run);
/* Which of the items that a spreading node gives for it; of a node that gathers as many, -1: takes one, gives none. */
ISOCENTER_API int64_t isocenter_run_part(const isocenter_run* run);

/* ---- Pipelines --------------------------------------------------------------------------------------------------- */

typedef struct isocenter_pipeline isocenter_pipeline;
ISOCENTER_API isocenter_status isocenter_pipeline_create(isocenter_context* context, isocenter_pipeline** pipeline,
                                                         isocenter_error* error);
ISOCENTER_API void isocenter_pipeline_retain(isocenter_pipeline* pipeline);
ISOCENTER_API void isocenter_pipeline_release(isocenter_pipeline* pipeline);
ISOCENTER_API isocenter_status isocenter_pipeline_add(isocenter_pipeline* pipeline, const char* node,
                                                      const char* operator_name, isocenter_error* error);
/* `value` as in a file: "1.5", "true", "hann", "0, 1.5, 3". Checked here: name, type, range. */
ISOCENTER_API isocenter_status isocenter_pipeline_set(isocenter_pipeline* pipeline, const char* node,
                                                      const char* parameter, const char* value, isocenter_error* error);
/* A device for this node alone instead of the session's. */
ISOCENTER_API isocenter_status isocenter_pipeline_set_device(isocenter_pipeline* pipeline, const char* node,
                                                             const char* device, isocenter_error* error);
ISOCENTER_API isocenter_status isocenter_pipeline_connect(isocenter_pipeline* pipeline, const char* from_node,
                                                          const char* from_port, const char* to_node,
                                                          const char* to_port, isocenter_error* error);
enum {
  ISOCENTER_EDGE_BLOCK = 0,       /* a full queue makes the producer wait (the default) */
  ISOCENTER_EDGE_DROP_OLDEST = 1, /* a full queue loses its oldest item */
  ISOCENTER_EDGE_LATEST = 2       /* the consumer sees only the newest item */
};
/* The policy and capacity (at least 1) of the queue that ends in an input port. */
ISOCENTER_API isocenter_status isocenter_pipeline_set_edge(isocenter_pipeline* pipeline, const char* to_node,
                                                           const char* to_port, int32_t policy, uint32_t capacity,
                                                           isocenter_error* error);
/* A named way in: payloads like `description` are pushed there. Connect from it with port "output". */
ISOCENTER_API isocenter_status isocenter_pipeline_add_input(isocenter_pipeline* pipeline, const char* name,
                                                            const isocenter_payload* description,
                                                            isocenter_error* error);
/* A named way out: what a node's port gives is pulled there. */
ISOCENTER_API isocenter_status isocenter_pipeline_add_output(isocenter_pipeline* pipeline, const char* name,
                                                             const char* node, const char* port,
                                                             isocenter_error* error);
/* Everything that can be told without the input: required parameters, unconnected ports, cycles. */
ISOCENTER_API isocenter_status isocenter_pipeline_check(const isocenter_pipeline* pipeline, isocenter_error* error);

/* ---- Sessions ---------------------------------------------------------------------------------------------------- */

typedef struct isocenter_session isocenter_session;

typedef struct isocenter_session_options {
  uint32_t struct_size;
  int32_t in_flight;     /* items between two nodes at once; 0: 2, or 1 when a source has one item */
  const char* device;    /* NULL: "cpu" */
  uint64_t memory_bytes; /* budget for each device; 0: none */
  void* stream;          /* the embedder's own cudaStream_t for all nodes on a GPU; NULL: one for each node */
  double deadline_s;     /* items older than this at their last node count as missed; 0: no deadline */
  /* Called from the session's threads: fraction in [0, 1] of item `sequence` in `node`. */
  void (*progress)(void* user, const char* node, int64_t sequence, double fraction);
  void* progress_user;
} isocenter_session_options;

/* Plans every node in order, allocates all memory, and is ready to run. */
ISOCENTER_API isocenter_status isocenter_pipeline_prepare(isocenter_pipeline* pipeline,
                                                          const isocenter_session_options* options,
                                                          isocenter_session** session, isocenter_error* error);
ISOCENTER_API void isocenter_session_retain(isocenter_session* session);
/* Releasing the last handle of a running session cancels it and waits for its threads. */
ISOCENTER_API void isocenter_session_release(isocenter_session* session);
ISOCENTER_API isocenter_status isocenter_session_start(isocenter_session* session, isocenter_error* error);
/* Waits while the queue is full (policy block). The session keeps a reference until the item has passed. */
ISOCENTER_API isocenter_status isocenter_session_push(isocenter_session* session, const char* input,
                                                      isocenter_payload* payload, isocenter_error* error);
ISOCENTER_API isocenter_status isocenter_session_end_input(isocenter_session* session, const char* input,
                                                           isocenter_error* error);
/* ISOCENTER_END_OF_STREAM after the last; ISOCENTER_TIMEOUT when nothing came in timeout_s (negative: wait for ever).
 * Release the payload soon: its memory is one of the stream's few buffers. */
ISOCENTER_API isocenter_status isocenter_session_pull(isocenter_session* session, const char* output, double timeout_s,
                                                      isocenter_payload** payload, isocenter_error* error);
/* Waits until every node has finished. The status and message of the first failed item when there was one. */
ISOCENTER_API isocenter_status isocenter_session_wait(isocenter_session* session, isocenter_error* error);
/* Safe from a signal handler. Running operators stop at their next check; finished outputs stay. */
ISOCENTER_API void isocenter_session_cancel(isocenter_session* session);

typedef struct isocenter_item_error {
  uint32_t struct_size;
  isocenter_status code;
  int64_t sequence;
  char node[64];
  char message[2040];
} isocenter_item_error;
/* Takes the oldest item error; ISOCENTER_END_OF_STREAM when there is none. The newest 256 are kept. */
ISOCENTER_API isocenter_status isocenter_session_next_error(isocenter_session* session, isocenter_item_error* item,
                                                            isocenter_error* error);

/* JSON. Footprint: bytes for each node and device. Report: that, and what ran, times, metrics, facts, warnings. Trace:
 * the Trace Event Format that common viewers open. */
ISOCENTER_API size_t isocenter_session_footprint(const isocenter_session* session, char* text, size_t capacity);
ISOCENTER_API size_t isocenter_session_report(const isocenter_session* session, char* text, size_t capacity);
ISOCENTER_API size_t isocenter_session_trace(const isocenter_session* session, char* text, size_t capacity);

/* ---- Modules and devices ----------------------------------------------------------------------------------------- */

/* A run-time module is a shared object that exports
 *   isocenter_status isocenter_module_register(isocenter_context* context, isocenter_error* error);
 * which registers operators and devices, and
 *   const uint32_t isocenter_module_abi = ISOCENTER_VERSION_MAJOR; */
#define ISOCENTER_MODULE_REGISTER "isocenter_module_register"
#define ISOCENTER_MODULE_ABI "isocenter_module_abi"

/* A device other than the CPU. Functions that return int give 0 or the device's own error code. */
typedef struct isocenter_device_type {
  uint32_t struct_size;
  int32_t index;
  const char* name;
  const char* type;
  const char* description;
  uint64_t memory_bytes;
  void* user;
  int (*allocate)(void* user, uint64_t bytes, void** memory);
  void (*release)(void* user, void* memory);
  int (*allocate_host)(void* user, uint64_t bytes, void** memory); /* host memory that copies fast */
  void (*release_host)(void* user, void* memory);
  int (*stream_create)(void* user, void** stream);
  void (*stream_destroy)(void* user, void* stream);
  int (*stream_wait)(void* user, void* stream); /* returns when all work on it is done */
  int (*copy)(void* user, void* to, const void* from, uint64_t bytes, void* stream); /* any direction */
  int (*fill_zero)(void* user, void* memory, uint64_t bytes, void* stream);
  const void* (*find)(void* user, const char* name); /* kernels and services, NULL when there is none */
  const char* (*error_text)(void* user, int error);
  int (*make_current)(void* user); /* called in every thread before it plans or runs on the device; may be NULL */
} isocenter_device_type;
ISOCENTER_API isocenter_status isocenter_register_device(isocenter_context* context, const isocenter_device_type* type,
                                                         isocenter_error* error);
/* For a module's own record of why a device is not there: reported by find_device. */
ISOCENTER_API void isocenter_report_missing_device(isocenter_context* context, const char* type, const char* reason);

/* ---- Processes --------------------------------------------------------------------------------------------------- */

/* Processes that run the same pipeline, each on its share of one problem: `ranks` of them, this one is number `rank`.
 * Every rank opens the same channels in the same order (nodes do, while they are planned); what is sent on one channel
 * is received on it, in order. Functions wait; `stop` (may be NULL) is asked meanwhile, and when it says 1, or another
 * rank has left with an error, or has left and can no longer send, they fail. Any thread may call them. */
typedef struct isocenter_communicator {
  uint32_t struct_size;
  int32_t rank;
  int32_t ranks;
  uint32_t reserved; /* 0 */
  const char* name;  /* "mpi" */
  void* user;
  int32_t (*open_channel)(void* user);
  isocenter_status (*send)(void* user, int32_t channel, int32_t to, const void* data, uint64_t bytes,
                           int32_t (*stop)(void*), void* stop_user, isocenter_error* error);
  isocenter_status (*receive)(void* user, int32_t channel, int32_t from, void* data, uint64_t bytes,
                              int32_t (*stop)(void*), void* stop_user, isocenter_error* error);
  /* data[i] becomes the sum of all ranks' data[i], the same bits everywhere; in a fixed order. ISOCENTER_FLOAT32 or
   * ISOCENTER_FLOAT64. */
  isocenter_status (*sum)(void* user, int32_t channel, void* data, uint64_t count, int32_t dtype,
                          int32_t (*stop)(void*), void* stop_user, isocenter_error* error);
  /* This rank has failed: the others' calls fail with its message. The session says it. */
  void (*leave)(void* user, const char* message);
  /* Among the ranks on this rank's machine: its number, and how many they are; local_ranks = 0: that is not known, and
   * they are taken to be all on one. */
  int32_t local_rank;
  int32_t local_ranks;
  uint64_t channel_bytes; /* host memory that an open channel holds: nodes count it as theirs */
  /* May be NULL. A session closes the channels of its nodes when it goes; nothing is under way on them then, but what
   * was given up. Their numbers are not given again. */
  void (*close_channel)(void* user, int32_t channel);
} isocenter_communicator;
/* At most one; it must live as long as the context. */
ISOCENTER_API isocenter_status isocenter_register_communicator(isocenter_context* context,
                                                               const isocenter_communicator* communicator,
                                                               isocenter_error* error);
/* NULL where this process works alone. */
ISOCENTER_API const isocenter_communicator* isocenter_context_communicator(const isocenter_context* context);

#ifdef __cplusplus
}
#endif
#endif
