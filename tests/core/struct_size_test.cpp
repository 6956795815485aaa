// Callers of another version: structures that are shorter or longer than this library's, in and out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <isocenter/isocenter.hpp>
#include <isocenter/struct_size.hpp>
#include <vector>

#include "core/structs.hpp"
#include "test_operators.hpp"

namespace isocenter::detail {

/// A structure as it may look some versions from now: it began with two numbers.
struct Grown {
  std::uint32_t struct_size;
  std::uint32_t first;
  double added_later;
};
template <>
struct StructVersion<Grown> {
  static constexpr const char* name = "grown";
  static constexpr std::size_t first_size = 8;
};

}  // namespace isocenter::detail

namespace {

using namespace isocenter;
using namespace isocenter::testing;
using isocenter::detail::StructVersion;
using ::testing::Each;
using ::testing::HasSubstr;

constexpr unsigned char canary = 0xA5;
constexpr std::size_t room = 64;  // behind the structure

/// A structure in a larger block of memory full of canaries.
template <class T>
struct Block {
  explicit Block(std::uint32_t struct_size) : bytes(sizeof(T) + room, canary) { get()->struct_size = struct_size; }
  T* get() { return reinterpret_cast<T*>(bytes.data()); }
  std::vector<unsigned char> from(std::size_t begin, std::size_t end) const {
    return {bytes.begin() + static_cast<std::ptrdiff_t>(begin), bytes.begin() + static_cast<std::ptrdiff_t>(end)};
  }
  std::vector<unsigned char> bytes;
};

/// fill(T*, isocenter_error*) is a function of the C ABI that writes to a caller's structure.
template <class T, class F>
void expect_writes_what_the_caller_has(F fill) {
  SCOPED_TRACE(StructVersion<T>::name);
  isocenter_error error{sizeof error, ISOCENTER_OK, {}};
  constexpr auto first = static_cast<std::uint32_t>(StructVersion<T>::first_size);
  Block<T> oldest(first);
  ASSERT_EQ(fill(oldest.get(), &error), ISOCENTER_OK) << error.message;
  EXPECT_EQ(oldest.get()->struct_size, first);
  EXPECT_THAT(oldest.from(first, sizeof(T) + room), Each(canary));
  Block<T> newer(sizeof(T) + 24);
  ASSERT_EQ(fill(newer.get(), &error), ISOCENTER_OK) << error.message;
  EXPECT_EQ(newer.get()->struct_size, sizeof(T) + 24);
  EXPECT_THAT(newer.from(sizeof(T), sizeof(T) + 24), Each(0));
  EXPECT_THAT(newer.from(sizeof(T) + 24, sizeof(T) + room), Each(canary));
  for (const std::uint32_t wrong : {0U, first - 1, 65537U}) {
    Block<T> refused(wrong);
    EXPECT_EQ(fill(refused.get(), &error), ISOCENTER_INVALID_ARGUMENT) << wrong;
    EXPECT_THAT(error.message, HasSubstr("struct_size = " + std::to_string(wrong) + " of " + StructVersion<T>::name));
    EXPECT_THAT(error.message, HasSubstr(std::string("Fix: set it to sizeof(") + StructVersion<T>::name + ")"));
    EXPECT_THAT(refused.from(sizeof(std::uint32_t), sizeof(T) + room), Each(canary)) << wrong;
  }
  EXPECT_EQ(fill(static_cast<T*>(nullptr), &error), ISOCENTER_INVALID_ARGUMENT);
  EXPECT_THAT(error.message, HasSubstr("is NULL"));
}

/// take(const T*, isocenter_error*) is a function of the C ABI that reads a caller's structure.
template <class T, class F>
void expect_reads_what_the_caller_has(const T& valid, F take) {
  SCOPED_TRACE(StructVersion<T>::name);
  isocenter_error error{sizeof error, ISOCENTER_OK, {}};
  const auto block_of = [&](std::uint32_t struct_size, unsigned char tail) {
    Block<T> block(0);
    *block.get() = valid;
    block.get()->struct_size = struct_size;
    std::fill(block.bytes.begin() + sizeof(T), block.bytes.end(), tail);
    return block;
  };
  auto newer = block_of(sizeof(T) + 24, 0);
  EXPECT_EQ(take(newer.get(), &error), ISOCENTER_OK) << error.message;
  auto unknown = block_of(sizeof(T) + 24, 1);
  EXPECT_EQ(take(unknown.get(), &error), ISOCENTER_UNSUPPORTED);
  EXPECT_THAT(error.message, HasSubstr("sets a field that version"));
  for (const std::uint32_t wrong : {0U, static_cast<std::uint32_t>(StructVersion<T>::first_size) - 1, 65537U}) {
    auto refused = block_of(wrong, 0);
    EXPECT_EQ(take(refused.get(), &error), ISOCENTER_INVALID_ARGUMENT) << wrong;
    EXPECT_THAT(error.message, HasSubstr("struct_size = " + std::to_string(wrong)));
  }
}

TEST(StructSize, AnOlderCallerOfAGrownStructureIsWrittenToItsEndOnly) {
  const detail::Grown now{sizeof now, 7, 2.5};
  Block<detail::Grown> old(8);
  ASSERT_TRUE(detail::copy_out(now, old.get()));
  EXPECT_EQ(old.get()->first, 7U);
  EXPECT_EQ(old.get()->struct_size, 8U);
  EXPECT_THAT(old.from(8, sizeof now + room), Each(canary));
}

TEST(StructSize, WhatAnOlderCallerOfAGrownStructureLacksIsZero) {
  Block<detail::Grown> old(8);
  old.get()->first = 7;
  const auto taken = detail::take_struct(static_cast<const detail::Grown*>(old.get()), "test");
  EXPECT_EQ(taken.struct_size, sizeof taken);
  EXPECT_EQ(taken.first, 7U);
  EXPECT_EQ(taken.added_later, 0.0);
}

TEST(StructSize, TheFirstSizesAreThoseOfVersionOne) {
  // As published; these numbers never change.
  EXPECT_EQ(StructVersion<isocenter_error>::first_size, 2048U);
  EXPECT_EQ(StructVersion<isocenter_allocator>::first_size, 32U);
  EXPECT_EQ(StructVersion<isocenter_threads>::first_size, 32U);
  EXPECT_EQ(StructVersion<isocenter_context_options>::first_size, 56U);
  EXPECT_EQ(StructVersion<isocenter_module_info>::first_size, 32U);
  EXPECT_EQ(StructVersion<isocenter_device_info>::first_size, 40U);
  EXPECT_EQ(StructVersion<isocenter_tensor>::first_size, 128U);
  EXPECT_EQ(StructVersion<isocenter_geometry>::first_size, 144U);
  EXPECT_EQ(StructVersion<isocenter_parameter>::first_size, 72U);
  EXPECT_EQ(StructVersion<isocenter_port>::first_size, 32U);
  EXPECT_EQ(StructVersion<isocenter_operator_type>::first_size, 120U);
  EXPECT_EQ(StructVersion<isocenter_launcher>::first_size, 56U);
  EXPECT_EQ(StructVersion<isocenter_session_options>::first_size, 56U);
  EXPECT_EQ(StructVersion<isocenter_item_error>::first_size, 2120U);
  EXPECT_EQ(StructVersion<isocenter_device_type>::first_size, 144U);
}

TEST(StructSize, TheContextWritesDevicesAndModulesAsLongAsTheCallerHasThem) {
  const Context context = test_context();
  isocenter_context* c = context.get();
  expect_writes_what_the_caller_has<isocenter_device_info>(
      [&](auto* info, auto* e) { return isocenter_context_device(c, 0, info, e); });
  expect_writes_what_the_caller_has<isocenter_device_info>(
      [&](auto* info, auto* e) { return isocenter_context_find_device(c, "cpu", info, nullptr, 0, e); });
  isocenter_context_load_module(c, "no-such-module.so", nullptr);
  ASSERT_EQ(isocenter_context_module_count(c), 1U);
  expect_writes_what_the_caller_has<isocenter_module_info>(
      [&](auto* info, auto* e) { return isocenter_context_module(c, 0, info, e); });
}

TEST(StructSize, AnIndexBehindTheLastIsNamed) {
  const Context context = test_context();
  isocenter_device_info info{};
  info.struct_size = sizeof info;
  isocenter_error error{sizeof error, ISOCENTER_OK, {}};
  EXPECT_EQ(isocenter_context_device(context.get(), 99, &info, &error), ISOCENTER_NOT_FOUND);
  EXPECT_THAT(error.message, HasSubstr("there is no device 99"));
}

TEST(StructSize, APayloadGivesAndTakesTensorsAndGeometriesOfAnyVersion) {
  Payload payload = Volume::own({1.0F, 2.0F, 3.0F}, 3, 1, 1, {}, "HU");
  expect_writes_what_the_caller_has<isocenter_tensor>(
      [&](auto* t, auto* e) { return isocenter_payload_tensor(payload.get(), "voxels", t, e); });
  expect_writes_what_the_caller_has<isocenter_geometry>(
      [&](auto* g, auto* e) { return isocenter_payload_geometry(payload.get(), g, e); });
  expect_reads_what_the_caller_has<isocenter_tensor>(tensor(DType::float32, "zyx", {1, 1, 3}), [&](auto* t, auto* e) {
    return isocenter_payload_set_tensor(payload.get(), "other", t, e);
  });
  expect_reads_what_the_caller_has<isocenter_geometry>(
      Geometry(), [&](auto* g, auto* e) { return isocenter_payload_set_geometry(payload.get(), g, e); });
}

TEST(StructSize, AnErrorIsWrittenAsLongAsTheCallerHasItAndNotAtAllWhenItsSizeIsImpossible) {
  const Context context = test_context();
  isocenter_pipeline* made = nullptr;
  ASSERT_EQ(isocenter_pipeline_create(context.get(), &made, nullptr), ISOCENTER_OK);
  const auto fail = [&](isocenter_error* e) { return isocenter_pipeline_add(made, "node", "no_such_operator", e); };
  Block<isocenter_error> newer(sizeof(isocenter_error) + 24);
  EXPECT_EQ(fail(newer.get()), ISOCENTER_NOT_FOUND);
  EXPECT_EQ(newer.get()->code, ISOCENTER_NOT_FOUND);
  EXPECT_THAT(newer.get()->message, HasSubstr("no_such_operator"));
  EXPECT_THAT(newer.from(sizeof(isocenter_error) + 24, sizeof(isocenter_error) + room), Each(canary));
  for (const std::uint32_t wrong : {0U, 2047U, 65537U}) {
    Block<isocenter_error> refused(wrong);
    EXPECT_EQ(fail(refused.get()), ISOCENTER_NOT_FOUND) << wrong;
    EXPECT_THAT(refused.from(4, sizeof(isocenter_error) + room), Each(canary)) << wrong;
  }
  isocenter_pipeline_release(made);
}

TEST(StructSize, OptionsAllocatorAndThreadsOfAnyVersionAreTaken) {
  isocenter_context_options options{};
  options.flags = ISOCENTER_CONTEXT_NO_MODULES;
  const auto create = [](const isocenter_context_options* o, isocenter_error* e) {
    isocenter_context* made = nullptr;
    const isocenter_status status = isocenter_context_create(o, &made, e);
    isocenter_context_release(made);
    return status;
  };
  expect_reads_what_the_caller_has(options, create);
  isocenter_allocator allocator{};
  allocator.allocate = [](void*, std::size_t n, std::size_t align) { return std::aligned_alloc(align, n); };
  allocator.release = [](void*, void* memory, std::size_t) { std::free(memory); };
  options.struct_size = sizeof options;
  expect_reads_what_the_caller_has(allocator, [&](const isocenter_allocator* a, isocenter_error* e) {
    options.allocator = a;
    return create(&options, e);
  });
  options.allocator = nullptr;
  isocenter_threads threads{};
  threads.concurrency = 1;
  threads.parallel_for = [](void*, std::int64_t count, std::int64_t, void (*body)(void*, std::int64_t, std::int64_t),
                            void* data) { body(data, 0, count); };
  expect_reads_what_the_caller_has(threads, [&](const isocenter_threads* t, isocenter_error* e) {
    options.threads = t;
    return create(&options, e);
  });
}

TEST(StructSize, ASessionTakesOptionsOfAnyVersion) {
  const Context context = test_context();
  Pipeline pipeline(context);
  const auto source = pipeline.add<CountingSource>("source", {.count = 6});
  pipeline.add_output("out", source.output);
  isocenter_session_options options{};
  expect_reads_what_the_caller_has(options, [&](const isocenter_session_options* o, isocenter_error* e) {
    isocenter_session* made = nullptr;
    const isocenter_status status = isocenter_pipeline_prepare(pipeline.get(), o, &made, e);
    isocenter_session_release(made);
    return status;
  });
}

// An operator that asks for structures of other lengths while it is planned and run.
isocenter_status asking_plan(void*, isocenter_plan* plan, isocenter_error*) {
  expect_writes_what_the_caller_has<isocenter_device_info>(
      [&](auto* info, auto* e) { return isocenter_plan_device(plan, info, e); });
  expect_writes_what_the_caller_has<isocenter_launcher>(
      [&](auto* l, auto* e) { return isocenter_plan_launcher(plan, l, e); });
  PlanContext context(plan);
  context.output("output").like(context.input("input"));
  return ISOCENTER_OK;
}
isocenter_status asking_run(void*, const isocenter_run* run, isocenter_error* error) {
  expect_writes_what_the_caller_has<isocenter_launcher>(
      [&](auto* l, auto* e) { return isocenter_run_launcher(run, l, e); });
  return detail::write_error(error, ErrorCode::bad_data, "refused on purpose. Fix: none.");
}

/// An operator as a maker's C code describes it, whose parameters and ports are `Extra` bytes longer than ours.
template <std::size_t Extra>
struct MadeElsewhere {
  struct Parameter {
    isocenter_parameter known;
    std::array<unsigned char, Extra> more;
  };
  struct Port {
    isocenter_port known;
    std::array<unsigned char, Extra> more;
  };
  std::array<Parameter, 2> parameters{};
  std::array<Port, 2> ports{};
  isocenter_operator_type type{};

  MadeElsewhere() {
    for (auto& p : parameters) {
      p.known = {sizeof p, 0, ISOCENTER_PARAMETER_NUMBER, 0, "alpha", "", "1", 0.0, 2.0, nullptr, ""};
    }
    parameters[1].known.name = "beta";
    ports[0].known = {sizeof(Port), 0, 0, 1U << ISOCENTER_VOLUME, "input", ""};
    ports[1].known = {sizeof(Port), 0, 1, 1U << ISOCENTER_VOLUME, "output", ""};
    type.struct_size = sizeof type;
    type.name = "made_elsewhere";
    type.module = "test";
    type.version = "1.0.0";
    type.summary = type.help = "";
    type.parameters = &parameters[0].known;
    type.parameter_count = 2;
    type.ports = &ports[0].known;
    type.port_count = 2;
    type.create = [](void*, const isocenter_parameter_values*, void** instance, isocenter_error*) {
      *instance = nullptr;
      return isocenter_status{ISOCENTER_OK};
    };
    type.plan = asking_plan;
    type.run = asking_run;
    type.destroy = [](void*) {};
  }
};

TEST(StructSize, PlanningAndRunningGiveLaunchersAndItemErrorsOfAnyVersion) {
  const Context context = test_context();
  isocenter_error error{sizeof error, ISOCENTER_OK, {}};
  MadeElsewhere<8> maker;
  ASSERT_EQ(isocenter_register_operator(context.get(), &maker.type, &error), ISOCENTER_OK) << error.message;
  Pipeline pipeline(context);
  pipeline.add<CountingSource>("source", {.count = 3});  // an error for each call below that is accepted, and one more
  pipeline.add("asks", "made_elsewhere");
  pipeline.connect("source", "output", "asks", "input");
  pipeline.add_output("out", "asks", "output");
  Session session = pipeline.prepare();
  session.start();
  EXPECT_FALSE(session.pull("out").has_value());
  expect_writes_what_the_caller_has<isocenter_item_error>(
      [&](auto* item, auto* e) { return isocenter_session_next_error(session.get(), item, e); });
}

TEST(StructSize, AnOperatorWhoseParametersAndPortsAreLongerThanOursIsReadElementByElement) {
  const Context context = test_context();
  isocenter_error error{sizeof error, ISOCENTER_OK, {}};
  {
    MadeElsewhere<16> maker;
    ASSERT_EQ(isocenter_register_operator(context.get(), &maker.type, &error), ISOCENTER_OK) << error.message;
    std::memset(static_cast<void*>(&maker.parameters), 0xFF, sizeof maker.parameters);  // it was copied
    std::memset(static_cast<void*>(&maker.type), 0xFF, sizeof maker.type);
  }
  const isocenter_operator_type* type = isocenter_operator_find(context.get(), "made_elsewhere");
  ASSERT_NE(type, nullptr);
  EXPECT_STREQ(isocenter_operator_parameter(type, 0)->name, "alpha");
  EXPECT_STREQ(isocenter_operator_parameter(type, 1)->name, "beta");
  EXPECT_EQ(isocenter_operator_parameter(type, 1)->struct_size, sizeof(isocenter_parameter));
  EXPECT_EQ(isocenter_operator_parameter(type, 2), nullptr);
  EXPECT_STREQ(isocenter_operator_port(type, 1)->name, "output");
  EXPECT_EQ(isocenter_operator_port(type, 2), nullptr);
}

TEST(StructSize, OperatorTypesAndTheirElementsOfImpossibleSizeAreRefusedByName) {
  const Context context = test_context();
  isocenter_error error{sizeof error, ISOCENTER_OK, {}};
  const auto refused = [&](auto change) {
    MadeElsewhere<8> maker;
    change(maker);
    EXPECT_NE(isocenter_register_operator(context.get(), &maker.type, &error), ISOCENTER_OK);
    EXPECT_EQ(isocenter_operator_find(context.get(), "made_elsewhere"), nullptr);
    return std::string(error.message);
  };
  EXPECT_THAT(refused([](auto& m) { m.type.struct_size = 0; }),
              HasSubstr("struct_size = 0 of isocenter_operator_type"));
  EXPECT_THAT(refused([](auto& m) { m.parameters[0].known.struct_size = 8; }),
              HasSubstr("operator 'made_elsewhere': parameters[0]: struct_size = 8"));
  EXPECT_THAT(refused([](auto& m) { m.ports[1].known.struct_size = sizeof(isocenter_port); }),
              HasSubstr("ports[1]: struct_size = 32, and that of the first is 40"));
  EXPECT_THAT(refused([](auto& m) { m.ports[1].more[3] = 1; }), HasSubstr("sets a field that version"));
  EXPECT_THAT(refused([](auto& m) { m.type.ports = nullptr; }), HasSubstr("ports[0]: the pointer"));
}

TEST(StructSize, ADeviceTypeOfImpossibleSizeIsRefused) {
  const Context context = test_context();
  isocenter_error error{sizeof error, ISOCENTER_OK, {}};
  isocenter_device_type type{};
  EXPECT_EQ(isocenter_register_device(context.get(), &type, &error), ISOCENTER_INVALID_ARGUMENT);
  EXPECT_THAT(error.message, HasSubstr("struct_size = 0 of isocenter_device_type"));
}

}  // namespace
