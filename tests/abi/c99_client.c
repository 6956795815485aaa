/* A C99 program that builds, plans and runs a pipeline with an operator of its own, through the binary contract alone.
 * It proves that the header is C, and that nothing but C crosses the border. */
#include <isocenter/isocenter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void require(isocenter_status status, const isocenter_error* error) {
  if (status == ISOCENTER_OK) return;
  fprintf(stderr, "status %d: %s\n", (int)status, error->message);
  exit(1);
}

/* An operator "negate" with a parameter "offset": output = offset - input. */
typedef struct negate {
  float offset;
} negate;

static isocenter_status negate_create(void* user, const isocenter_parameter_values* values, void** instance,
                                      isocenter_error* error) {
  negate* self = (negate*)malloc(sizeof *self);
  (void)user;
  (void)error;
  if (self == NULL) return ISOCENTER_OUT_OF_MEMORY;
  self->offset = (float)isocenter_value_number(values, "offset");
  *instance = self;
  return ISOCENTER_OK;
}

static isocenter_status negate_plan(void* instance, isocenter_plan* plan, isocenter_error* error) {
  isocenter_tensor voxels;
  isocenter_geometry geometry;
  const isocenter_payload* input = isocenter_plan_input(plan, "input");
  isocenter_payload* output = isocenter_plan_output(plan, "output");
  isocenter_status status;
  (void)instance;
  memset(&voxels, 0, sizeof voxels);
  voxels.struct_size = sizeof voxels;
  status = isocenter_payload_tensor(input, "voxels", &voxels, error);
  if (status != ISOCENTER_OK) return status;
  voxels.data = NULL;
  status = isocenter_payload_set_tensor(output, "voxels", &voxels, error);
  if (status != ISOCENTER_OK) return status;
  memset(&geometry, 0, sizeof geometry);
  geometry.struct_size = sizeof geometry;
  status = isocenter_payload_geometry(input, &geometry, error);
  if (status != ISOCENTER_OK) return status;
  return isocenter_payload_set_geometry(output, &geometry, error);
}

static isocenter_status negate_run(void* instance, const isocenter_run* run, isocenter_error* error) {
  const negate* self = (const negate*)instance;
  isocenter_tensor in, out;
  int64_t i;
  isocenter_status status;
  memset(&in, 0, sizeof in);
  memset(&out, 0, sizeof out);
  in.struct_size = out.struct_size = sizeof in;
  status = isocenter_payload_tensor(isocenter_run_input(run, "input"), "voxels", &in, error);
  if (status != ISOCENTER_OK) return status;
  status = isocenter_payload_tensor(isocenter_run_output(run, "output"), "voxels", &out, error);
  if (status != ISOCENTER_OK) return status;
  for (i = 0; i < in.shape[0] * in.shape[1] * in.shape[2]; ++i)
    ((float*)out.data)[i] = self->offset - ((const float*)in.data)[i];
  return ISOCENTER_OK;
}

static void negate_destroy(void* instance) { free(instance); }

static isocenter_operator_type negate_type(isocenter_parameter* parameter, isocenter_port ports[2]) {
  isocenter_operator_type type;
  memset(parameter, 0, sizeof *parameter);
  parameter->struct_size = sizeof *parameter;
  parameter->type = ISOCENTER_PARAMETER_NUMBER;
  parameter->name = "offset";
  parameter->unit = "HU";
  parameter->default_value = "0";
  parameter->minimum = -10.0;
  parameter->maximum = 10.0;
  parameter->help = "Added after the sign is turned.";
  memset(ports, 0, 2 * sizeof *ports);
  ports[0].struct_size = ports[1].struct_size = sizeof *ports;
  ports[0].kinds = ports[1].kinds = 1U << ISOCENTER_VOLUME;
  ports[0].name = "input";
  ports[1].name = "output";
  ports[0].help = ports[1].help = "A volume.";
  ports[1].is_output = 1;
  memset(&type, 0, sizeof type);
  type.struct_size = sizeof type;
  type.name = "negate";
  type.module = "c99";
  type.version = "1.0.0";
  type.summary = "Turns the sign of every voxel.";
  type.help = "";
  type.parameters = parameter;
  type.parameter_count = 1;
  type.ports = ports;
  type.port_count = 2;
  type.create = negate_create;
  type.plan = negate_plan;
  type.run = negate_run;
  type.destroy = negate_destroy;
  return type;
}

static isocenter_payload* volume_over(float* voxels, isocenter_error* error) {
  isocenter_payload* payload = NULL;
  isocenter_tensor tensor;
  memset(&tensor, 0, sizeof tensor);
  tensor.struct_size = sizeof tensor;
  tensor.dtype = ISOCENTER_FLOAT32;
  tensor.rank = 3;
  strcpy(tensor.axes, "zyx");
  tensor.shape[0] = 2;
  tensor.shape[1] = 2;
  tensor.shape[2] = 2;
  tensor.data = voxels;
  require(isocenter_payload_create(ISOCENTER_VOLUME, &payload, error), error);
  require(isocenter_payload_set_tensor(payload, "voxels", &tensor, error), error);
  return payload;
}

int main(void) {
  static isocenter_parameter parameter;
  static isocenter_port ports[2];
  static isocenter_operator_type type;
  float voxels[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  isocenter_error error;
  isocenter_context* context = NULL;
  isocenter_pipeline* pipeline = NULL;
  isocenter_session* session = NULL;
  isocenter_payload *input = NULL, *output = NULL;
  isocenter_tensor result;
  isocenter_status refused;
  int i;

  memset(&error, 0, sizeof error);
  error.struct_size = sizeof error;
  require(isocenter_context_create(NULL, &context, &error), &error);
  type = negate_type(&parameter, ports);
  require(isocenter_register_operator(context, &type, &error), &error);
  input = volume_over(voxels, &error);

  require(isocenter_pipeline_create(context, &pipeline, &error), &error);
  require(isocenter_pipeline_add(pipeline, "turn", "negate", &error), &error);
  refused = isocenter_pipeline_set(pipeline, "turn", "offset", "11", &error);
  if (refused != ISOCENTER_INVALID_ARGUMENT || strstr(error.message, "Fix:") == NULL) {
    fprintf(stderr, "offset = 11 gave status %d: %s\n", (int)refused, error.message);
    return 1;
  }
  require(isocenter_pipeline_set(pipeline, "turn", "offset", "1.5", &error), &error);
  require(isocenter_pipeline_add_input(pipeline, "in", input, &error), &error);
  require(isocenter_pipeline_connect(pipeline, "in", "output", "turn", "input", &error), &error);
  require(isocenter_pipeline_add_output(pipeline, "out", "turn", "output", &error), &error);
  require(isocenter_pipeline_prepare(pipeline, NULL, &session, &error), &error);
  require(isocenter_session_start(session, &error), &error);
  require(isocenter_session_push(session, "in", input, &error), &error);
  require(isocenter_session_end_input(session, "in", &error), &error);
  require(isocenter_session_pull(session, "out", 10.0, &output, &error), &error);

  memset(&result, 0, sizeof result);
  result.struct_size = sizeof result;
  require(isocenter_payload_tensor(output, "voxels", &result, &error), &error);
  for (i = 0; i < 8; ++i)
    if (((const float*)result.data)[i] != 1.5F - voxels[i]) {
      fprintf(stderr, "voxel %d is %g, not %g\n", i, ((const float*)result.data)[i], 1.5F - voxels[i]);
      return 1;
    }
  isocenter_payload_release(output);
  require(isocenter_session_wait(session, &error), &error);
  isocenter_session_release(session);
  isocenter_pipeline_release(pipeline);
  isocenter_payload_release(input);
  isocenter_context_release(context);
  puts("a C99 client ran its own operator");
  return 0;
}
