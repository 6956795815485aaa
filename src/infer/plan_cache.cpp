#include "infer/plan_cache.hpp"

#include <list>
#include <mutex>
#include <new>

namespace isocenter::infer {
namespace {

class Waiting {
 public:
  /// Never destroyed: at the process's end oneDNN's own objects may be gone before.
  static Waiting& plans() {
    static auto* made = new Waiting;
    return *made;
  }
  std::unique_ptr<Executor> take(const std::string& key, std::int64_t most_bytes) {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<Executor> found;
    for (auto it = entries_.begin(); it != entries_.end() && found == nullptr; ++it)
      if (it->key == key) {
        found = std::move(it->plan);
        bytes_ -= it->bytes;
        entries_.erase(it);
        break;
      }
    shrink(most_bytes);
    return found;
  }
  /// Without memory for the entry the plan goes as others do.
  void give(const std::string& key, std::int64_t most_bytes, std::unique_ptr<Executor> plan) noexcept try {
    const std::int64_t bytes = plan->summary().constant_bytes;
    if (bytes > most_bytes) return;
    const std::lock_guard lock(mutex_);
    entries_.push_back({key, bytes, std::move(plan)});
    bytes_ += bytes;
    shrink(most_bytes);
  } catch (const std::bad_alloc&) {
  }

 private:
  struct Entry {
    std::string key;
    std::int64_t bytes;
    std::unique_ptr<Executor> plan;
  };
  void shrink(std::int64_t most_bytes) {
    while (bytes_ > most_bytes || entries_.size() > most_kept_plans) {
      bytes_ -= entries_.front().bytes;
      entries_.pop_front();
    }
  }

  std::mutex mutex_;
  std::list<Entry> entries_;  // the longest unused first
  std::int64_t bytes_ = 0;
};

/// Gives its plan back when the session ends.
class KeptPlan final : public Executor {
 public:
  KeptPlan(std::string key, std::int64_t most_bytes, std::unique_ptr<Executor> plan, bool kept)
      : key_(std::move(key)), most_bytes_(most_bytes), plan_(std::move(plan)), summary_(plan_->summary()) {
    summary_.kept = kept;
  }
  KeptPlan(const KeptPlan&) = delete;
  KeptPlan& operator=(const KeptPlan&) = delete;
  ~KeptPlan() override {
    if (as_planned_) Waiting::plans().give(key_, most_bytes_, std::move(plan_));
  }
  const std::vector<Port>& inputs() const override { return plan_->inputs(); }
  const std::vector<Port>& outputs() const override { return plan_->outputs(); }
  const PlanSummary& summary() const override { return summary_; }
  void bind(std::byte* arena) override { plan_->bind(arena); }
  void run(void* stream) override { plan_->run(stream); }
  void check_numbers() override {
    as_planned_ = false;
    plan_->check_numbers();
  }
  void record_ranges() override {
    as_planned_ = false;
    plan_->record_ranges();
  }
  std::string recorded_ranges(double percentile) const override { return plan_->recorded_ranges(percentile); }

 private:
  std::string key_;
  std::int64_t most_bytes_;
  std::unique_ptr<Executor> plan_;
  PlanSummary summary_;
  bool as_planned_ = true;
};

}  // namespace

std::unique_ptr<Executor> plan_or_kept(const std::string& key, std::int64_t most_bytes,
                                       const std::function<std::unique_ptr<Executor>()>& make) {
  auto plan = Waiting::plans().take(key, most_bytes);
  const bool kept = plan != nullptr;
  if (!kept) plan = make();
  return std::make_unique<KeptPlan>(key, most_bytes, std::move(plan), kept);
}

}  // namespace isocenter::infer
