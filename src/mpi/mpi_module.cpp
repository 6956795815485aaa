// The run-time module mpi: where the process belongs to an MPI job of several ranks (mpirun started it, or the embedder
// has initialised MPI), the context gets a communicator over it. Otherwise MPI is not even initialised.
#include <cstdlib>
#include <isocenter/error.hpp>

#include "mpi/exchange.hpp"

namespace isocenter::detail {

namespace {

Exchange* exchange = nullptr;  // one for the process, never freed: contexts come and go

Exchange& of(void* user) { return *static_cast<Exchange*>(user); }

/// What the launchers of Open MPI, MPICH and Slurm's PMI say.
bool launched_with_others() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"})
    if (const char* size = std::getenv(name); size != nullptr && std::atoi(size) > 1) return true;
  return false;
}

/// At the end of the process. After a failure the others are given time to learn of it and to say what they have to,
/// and those that are too busy to hear are ended; MPI_Finalize would wait for messages that never come.
void say_goodbye() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (finalized != 0) return;
  exchange->leave("");
  if (!exchange->failed()) {
    MPI_Finalize();
    return;
  }
  constexpr double patience_s = 10.0;
  if (!exchange->all_left(patience_s)) MPI_Abort(MPI_COMM_WORLD, 1);
}

void start_mpi() {
  int initialized = 0, threads = MPI_THREAD_SINGLE;
  MPI_Initialized(&initialized);
  if (initialized == 0) {
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &threads);
  } else {
    MPI_Query_thread(&threads);
  }
  if (threads < MPI_THREAD_MULTIPLE)
    throw Failure(ErrorCode::unsupported, "MPI runs without MPI_THREAD_MULTIPLE",
                  "initialise it with MPI_Init_thread(..., MPI_THREAD_MULTIPLE, ...)");
  exchange = new Exchange;
  // Whoever initialised MPI finalises it.
  if (initialized == 0) std::atexit(say_goodbye);
}

void register_communicator(isocenter_context* context) {
  isocenter_communicator c{};
  c.struct_size = sizeof c;
  c.rank = exchange->rank();
  c.ranks = exchange->ranks();
  c.name = "mpi";
  c.user = exchange;
  c.open_channel = [](void* user) { return of(user).open_channel(); };
  c.send = [](void* user, std::int32_t channel, std::int32_t to, const void* data, std::uint64_t bytes,
              std::int32_t (*stop)(void*), void* stop_user, isocenter_error* error) {
    return guarded(error, [&]() -> isocenter_status {
      of(user).send(channel, to, data, bytes, {stop, stop_user});
      return ISOCENTER_OK;
    });
  };
  c.receive = [](void* user, std::int32_t channel, std::int32_t from, void* data, std::uint64_t bytes,
                 std::int32_t (*stop)(void*), void* stop_user, isocenter_error* error) {
    return guarded(error, [&]() -> isocenter_status {
      of(user).receive(channel, from, data, bytes, {stop, stop_user});
      return ISOCENTER_OK;
    });
  };
  c.sum = [](void* user, std::int32_t channel, void* data, std::uint64_t count, std::int32_t dtype,
             std::int32_t (*stop)(void*), void* stop_user, isocenter_error* error) {
    return guarded(error, [&]() -> isocenter_status {
      if (dtype == ISOCENTER_FLOAT32)
        of(user).sum(channel, static_cast<float*>(data), count, {stop, stop_user});
      else
        of(user).sum(channel, static_cast<double*>(data), count, {stop, stop_user});
      return ISOCENTER_OK;
    });
  };
  c.leave = [](void* user, const char* message) { of(user).leave(message); };
  c.local_rank = exchange->local_rank();
  c.local_ranks = exchange->local_ranks();
  c.channel_bytes = Exchange::channel_bytes();
  c.close_channel = [](void* user, std::int32_t channel) { of(user).close_channel(channel); };
  call([&](auto* e) { return isocenter_register_communicator(context, &c, e); });
}

}  // namespace
}  // namespace isocenter::detail

extern "C" ISOCENTER_API const std::uint32_t isocenter_module_abi;
extern "C" const std::uint32_t isocenter_module_abi = ISOCENTER_VERSION_MAJOR;
extern "C" ISOCENTER_API isocenter_status isocenter_module_register(isocenter_context* context,
                                                                    isocenter_error* error) {
  using namespace isocenter::detail;
  return guarded(error, [&]() -> isocenter_status {
    int initialized = 0;
    MPI_Initialized(&initialized);
    if (exchange == nullptr && (initialized != 0 || launched_with_others())) start_mpi();
    if (exchange != nullptr && exchange->ranks() > 1) register_communicator(context);
    return ISOCENTER_OK;
  });
}
