/* Another engine for trained networks, behind the operators segment_volume and network_inference. C99.
 *
 * An engine (ONNX Runtime, OpenVINO, TensorRT, a device's own) is a shared object of the name
 * isocenter_engine_<name>.so in the folder isocenter/engines beside libisocenter, or anywhere else; the operators'
 * parameter `engine` takes its name, or its path. It exports one function,
 *   const isocenter_inference_engine* isocenter_get_inference_engine(uint32_t version);
 * which gives its table, or NULL where it does not know that version of this interface. The table lives as long as the
 * process. Isocenter does the rest: windows, intensities, blending, memory of inputs and outputs, the report.
 *
 * The rules of isocenter.h hold: struct_size first, fields are added at the end, a status and a sentence for what goes
 * wrong. examples/engines/openvino is one engine.
 */
#ifndef ISOCENTER_INFER_ENGINE_H
#define ISOCENTER_INFER_ENGINE_H

#include <isocenter/isocenter.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ISOCENTER_INFERENCE_ENGINE_VERSION 1
#define ISOCENTER_INFERENCE_ENGINE_SYMBOL "isocenter_get_inference_engine"
#define ISOCENTER_INFERENCE_MAX_RANK 8

/* What the network computes in; sums, inputs and outputs are float32. An engine refuses what it does not have. */
enum {
  ISOCENTER_INFERENCE_FLOAT32 = 0,
  ISOCENTER_INFERENCE_TF32 = 1,
  ISOCENTER_INFERENCE_BFLOAT16 = 2,
};

/* An input or output: float32, dense, last axis fastest. */
typedef struct isocenter_inference_tensor {
  uint32_t struct_size;
  int32_t rank;
  const char* name;
  int64_t shape[ISOCENTER_INFERENCE_MAX_RANK];
} isocenter_inference_tensor;

typedef struct isocenter_inference_request {
  uint32_t struct_size;
  int32_t precision;
  const char* device;     /* "cpu", "cuda:0": where inputs and outputs lie when the network runs */
  const char* model_path; /* the ONNX file, for messages and for weights in other files beside it */
  const void* model;      /* its content, whole; valid while plan runs */
  uint64_t model_bytes;
  const isocenter_inference_tensor* inputs; /* every input with the shape that it will have */
  uint32_t input_count;
  uint32_t threads; /* on the CPU: at most so many */
} isocenter_inference_request;

typedef struct isocenter_inference_plan {
  uint32_t struct_size;
  uint32_t output_count;
  void* network;                             /* the engine's own: goes to run and destroy */
  const isocenter_inference_tensor* outputs; /* in the model's order; valid until destroy, as every text here */
  const char* description;                   /* for the report: "OpenVINO 2026.4.1" */
  const char* precision;                     /* what is computed in, for the report */
  uint64_t memory_bytes;                     /* what the engine holds until destroy, as far as it can say */
} isocenter_inference_plan;

typedef struct isocenter_inference_engine {
  uint32_t struct_size;
  uint32_t version; /* ISOCENTER_INFERENCE_ENGINE_VERSION that it was written for */
  const char* name;
  /* May take its time and memory. On an error nothing is left, and destroy is not called. */
  isocenter_status (*plan)(const isocenter_inference_request* request, isocenter_inference_plan* plan,
                           isocenter_error* error);
  /* One inference: inputs and outputs in the order of the request and of the plan, on the device that was asked for. On
   * the CPU it returns when done; on a device it enqueues on `stream`. Never for two threads at once on one network. */
  isocenter_status (*run)(void* network, const void* const* inputs, void* const* outputs, void* stream,
                          isocenter_error* error);
  void (*destroy)(void* network);
} isocenter_inference_engine;

typedef const isocenter_inference_engine* (*isocenter_inference_engine_function)(uint32_t version);

#ifdef __cplusplus
}
#endif

#endif
