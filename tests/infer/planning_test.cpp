// Memory, windows, model cards, hashes.
#include <dlfcn.h>
#include <gmock/gmock.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <random>
#include <set>

#include "fixture.hpp"
#include "infer/model_card.hpp"
#include "infer/schedule.hpp"
#include "infer/sha256.hpp"
#include "infer/window_plan.hpp"

namespace {

/// Counts allocations by the shared object or program that asked for them, while it is on.
std::atomic<bool> counting{false};
std::atomic<long> own_allocations{0}, library_allocations{0}, library_bytes{0};

bool from_onednn(const void* caller) {
  Dl_info info{};
  return dladdr(caller, &info) != 0 && info.dli_fname != nullptr && std::strstr(info.dli_fname, "dnnl") != nullptr;
}

void* counted(std::size_t bytes, const void* caller) noexcept {
  if (counting) {
    if (from_onednn(caller)) {
      ++library_allocations;
      library_bytes += static_cast<long>(bytes);
    } else {
      ++own_allocations;
    }
  }
  return std::malloc(bytes == 0 ? 1 : bytes);
}

}  // namespace

// For the whole program: new[] comes through these.
__attribute__((noinline)) void* operator new(std::size_t bytes) {
  if (void* p = counted(bytes, __builtin_return_address(0))) return p;
  throw std::bad_alloc();
}
__attribute__((noinline)) void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return counted(bytes, __builtin_return_address(0));
}
__attribute__((noinline)) void operator delete(void* p) noexcept { std::free(p); }
__attribute__((noinline)) void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace isocenter::infer::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Allocation : public testing::TestWithParam<Fixture> {};
INSTANTIATE_TEST_SUITE_P(Fixtures, Allocation, testing::ValuesIn(fixtures),
                         [](const auto& i) { return std::string(i.param.name); });

TEST_P(Allocation, AnInferenceAllocatesNothingOfItsOwn) {
  Runner runner(plan_cpu(load(GetParam()), {}));
  runner.executor().run(nullptr);  // OpenMP starts its threads
  own_allocations = library_allocations = library_bytes = 0;
  counting = true;
  for (int i = 0; i < 10; ++i) runner.executor().run(nullptr);
  counting = false;
  EXPECT_EQ(own_allocations, 0);
  // oneDNN makes a small table of the arguments of each primitive; there is no way round it in its interface.
  int primitives = 0;
  for (const auto& node : load(GetParam()).nodes)
    primitives += std::holds_alternative<Convolution>(node.operation) ? 1 : 0;
  EXPECT_LT(library_bytes / 10 / primitives, 2048)
      << library_allocations / 10 << " allocations for " << primitives << " primitives";
}

TEST(Arena, NoTwoBuffersThatLiveAtTheSameTimeOverlap) {
  std::mt19937 random(5);
  for (int round = 0; round < 50; ++round) {
    Schedule s;
    for (int i = 0; i < 40; ++i) {
      const int first = static_cast<int>(random() % 30);
      s.buffers.push_back(
          {static_cast<std::int64_t>(random() % 5000 + 1), first, first + static_cast<int>(random() % 6), -1});
    }
    plan_memory(s);
    for (std::size_t a = 0; a < s.buffers.size(); ++a) {
      const Buffer& p = s.buffers[a];
      EXPECT_EQ(p.offset % 256, 0);
      EXPECT_LE(p.offset + p.bytes, s.arena_bytes);
      for (std::size_t b = 0; b < a; ++b) {
        const Buffer& q = s.buffers[b];
        const bool together = p.first_step <= q.last_step && q.first_step <= p.last_step;
        EXPECT_TRUE(!together || p.offset + p.bytes <= q.offset || q.offset + q.bytes <= p.offset);
      }
    }
  }
}

TEST(Schedule, AUNetNeedsNoReorderBetweenItsLayers) {
  const Schedule s = make_schedule(load(fixtures[0]));
  EXPECT_EQ(s.reorders, 1);  // its scores, back to plain; one input channel lies the same way in both layouts
}

TEST(Windows, CoverTheAxisAndOverlapAsAsked) {
  for (const int size : {1, 7, 64, 65, 100, 511})
    for (const int window : {1, 8, 33, 64})
      for (const double overlap : {0.0, 0.25, 0.5, 0.9}) {
        const auto starts = window_starts(size, window, overlap);
        EXPECT_EQ(starts.front(), 0);
        EXPECT_EQ(starts.back(), std::max(0, size - window));
        for (std::size_t i = 1; i < starts.size(); ++i) {
          EXPECT_GT(starts[i], starts[i - 1]);
          EXPECT_GE(starts[i - 1] + window - starts[i], static_cast<int>(overlap * window)) << size << " " << window;
        }
        const auto sums = weight_sums(size, window, starts);
        for (int i = 0; i < size; ++i) EXPECT_GT(sums[static_cast<std::size_t>(i)], 0) << i;
      }
}

TEST(Windows, AnAxisOfTheSameSpacingReadsItself) {
  const auto reading = read_axis(5, 5, 1.0, {2, 2, 4, 2, 2});
  EXPECT_THAT(reading.index, ElementsAre(0, 0, 1, 1, 2, 2, 3, 3, 4, 4));
  EXPECT_THAT(reading.weight, ElementsAre(0.5F, 0.0F, 0.5F, 0.0F, 0.25F, 0.0F, 0.5F, 0.0F, 0.5F, 0.0F));
}

TEST(Windows, ACoarserAxisIsInterpolatedBetweenItsCentres) {
  const auto reading = read_axis(4, 2, 0.5, {1, 1});  // centres of the two at 0.5 and 2.5 of the four
  EXPECT_THAT(reading.weight, ElementsAre(1.0F, 0.0F, 0.75F, 0.25F, 0.25F, 0.75F, 1.0F, 0.0F));
  EXPECT_THAT(reading.index, ElementsAre(0, 0, 0, 1, 0, 1, 1, 1));
}

TEST(ModelCard, ReadsWhatTheFixtureSays) {
  const auto model = read_onnx(data_path("unet3d.onnx"));
  const ModelCard card = read_model_card(model.metadata, model.source);
  EXPECT_THAT(card.class_names, ElementsAre("background", "lung", "heart"));
  EXPECT_THAT(card.class_colours, ElementsAre(0, 0, 0, 0.3, 0.6, 1, 0.9, 0.2, 0.2));
  EXPECT_THAT(*card.spacing_mm, ElementsAre(2, 2, 2));
  EXPECT_THAT(*card.window, ElementsAre(16, 16, 16));
  EXPECT_EQ(card.intensity->kind, Intensity::Kind::clip);
  EXPECT_EQ(card.intensity->low, -1000);
  EXPECT_EQ(card.intensity->to, 1);
}

TEST(ModelCard, ValuesThatMakeNoSenseAreRefusedByKey) {
  const auto refusal = [](const std::string& key, const std::string& value) -> std::string {
    try {
      read_model_card({{key, value}}, "m.onnx");
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_THAT(refusal("isocenter.spacing_mm", "1 2"),
              HasSubstr("m.onnx: the model's metadata 'isocenter.spacing_mm' is '1 2', and three numbers"));
  EXPECT_THAT(refusal("isocenter.spacing_mm", "1 2 -3"), HasSubstr("each number lies in"));
  EXPECT_THAT(refusal("isocenter.window", "1 2 x"), HasSubstr("three numbers"));
  EXPECT_THAT(refusal("isocenter.class_colours", "0 0 2"), HasSubstr("[0, 1]"));
  EXPECT_THAT(refusal("isocenter.intensity", "clip 5 1 scale 0 1"), HasSubstr("LOW < HIGH"));
  EXPECT_THAT(refusal("isocenter.axes", "LRS"), HasSubstr("'isocenter.axes' is 'LRS', and 'any', or one each of L R"));
  EXPECT_THAT(refusal("isocenter.axes", "LP"), HasSubstr("is allowed"));
  EXPECT_EQ(refusal("isocenter.axes", "SAL"), "no error");
  EXPECT_THAT(refusal("isocenter.intensity", "clip 1 5 scale 0 1 2"), HasSubstr("is allowed"));
}

TEST(Hash, AgreesWithTheStandardsExamples) {  // FIPS 180-4's examples "abc" and two blocks; the empty message
  const auto hash = [](const std::string& s) { return sha256(std::as_bytes(std::span(s))); };
  EXPECT_EQ(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

}  // namespace
}  // namespace isocenter::infer::test
