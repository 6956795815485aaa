/* Pipelines from files: the YAML loader of Isocenter, library isocenter_yaml. C99; C++ users include yaml.hpp.
 *
 * docs/pipelines.md describes the format. A file is opened (read, checked for its structure, its ${variables} put in),
 * then built into a pipeline. Whatever is wrong is refused with "file:line:column: what. Fix: ...".
 * The rules of isocenter.h hold: handles, errors, text, struct_size. A file is used by one thread at a time.
 */
#ifndef ISOCENTER_YAML_H
#define ISOCENTER_YAML_H

#include <isocenter/isocenter.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the format: the value of the key "isocenter". */
#define ISOCENTER_YAML_FORMAT 1

typedef struct isocenter_yaml_file isocenter_yaml_file;

/* Variable i is names[i] with values[i]; ${name} in a file stands for its value. */
ISOCENTER_API isocenter_status isocenter_yaml_open(const char* path, const char* const* names,
                                                   const char* const* values, uint32_t variable_count,
                                                   isocenter_yaml_file** file, isocenter_error* error);
/* The same from memory. Messages call it `source`; relative paths in it are relative to `folder`. */
ISOCENTER_API isocenter_status isocenter_yaml_parse(const char* text, const char* source, const char* folder,
                                                    const char* const* names, const char* const* values,
                                                    uint32_t variable_count, isocenter_yaml_file** file,
                                                    isocenter_error* error);
ISOCENTER_API void isocenter_yaml_release(isocenter_yaml_file* file);

/* Texts live as long as the file. */
typedef struct isocenter_yaml_info {
  uint32_t struct_size;
  uint32_t node_count;
  uint32_t input_count;  /* ways in: a program adds them to the pipeline before build */
  uint32_t output_count; /* ways out: a program pulls them */
  const char* name;
  const char* description;
} isocenter_yaml_info;
ISOCENTER_API isocenter_status isocenter_yaml_describe(const isocenter_yaml_file* file, isocenter_yaml_info* info,
                                                       isocenter_error* error);

typedef struct isocenter_yaml_node_info {
  uint32_t struct_size;
  uint32_t input_count; /* wires that end in it */
  const char* name;
  const char* operator_name;
  const char* place; /* "study.yaml:12:5", where the node begins */
} isocenter_yaml_node_info;
/* In the order of the file. */
ISOCENTER_API isocenter_status isocenter_yaml_node(const isocenter_yaml_file* file, uint32_t index,
                                                   isocenter_yaml_node_info* info, isocenter_error* error);
ISOCENTER_API isocenter_status isocenter_yaml_input(const isocenter_yaml_file* file, uint32_t index, const char** name);
ISOCENTER_API isocenter_status isocenter_yaml_output(const isocenter_yaml_file* file, uint32_t index,
                                                     const char** name);
/* 1 when ${variable} stands in the file. */
ISOCENTER_API int32_t isocenter_yaml_uses(const isocenter_yaml_file* file, const char* variable);

/* A value that goes before the one in the file; what is wrong with it is refused by build. A relative path is left as
 * it is. */
ISOCENTER_API isocenter_status isocenter_yaml_set(isocenter_yaml_file* file, const char* node, const char* parameter,
                                                  const char* value, isocenter_error* error);

/* Adds the file's nodes, wires and ways out to a pipeline of this context and checks the whole. The pipeline is empty
 * but for the ways in that the file names. After an error it is of no further use. A device that is not there gives
 * ISOCENTER_UNSUPPORTED. */
ISOCENTER_API isocenter_status isocenter_yaml_build(const isocenter_yaml_file* file, isocenter_context* context,
                                                    isocenter_pipeline* pipeline, isocenter_error* error);

#ifdef __cplusplus
}
#endif
#endif
