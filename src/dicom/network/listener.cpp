#include "listener.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/assoc.h>
#include <dcmtk/dcmnet/dcmtrans.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <isocenter/error.hpp>

#include "association.hpp"
#include "conversation.hpp"
#include "transport.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr std::size_t most_events = 65536;

int port_of(int socket) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  return ntohs(address.sin_port);
}

}  // namespace

Listener::Listener(const ListenerOptions& options, const std::string& inbox_folder)
    : options_(options), inbox_(inbox_folder, options.journal) {
  use_dcmnet();
  require_ae_title("ae_title", options.ae_title);
  Transport transport = make_transport(options.tls, NET_ACCEPTOR);
  dcmSocketSendTimeout.set(options.timeout_s);
  dcmSocketReceiveTimeout.set(options.timeout_s);
  const OFCondition opened = ASC_initializeNetwork(NET_ACCEPTOR, options.port, options.timeout_s, &network_);
  if (opened.bad())
    throw Failure(ErrorCode::io_error,
                  "port " + std::to_string(options.port) + " cannot be listened at: " + opened.text(),
                  "choose a free port; below 1024 they are the administrator's");
  ASC_setTransportLayer(network_, transport.release(), 1);
  // Every thread waits at the same socket; those that another one was quicker than must not be stuck in accept.
  const int socket = DUL_networkSocket(network_->network);
  ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK);
  port_ = port_of(socket);
  for (int i = 0; i < std::max(1, options.associations); ++i) threads_.emplace_back([this] { serve(); });
}

Listener::~Listener() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
  ASC_dropNetwork(&network_);
}

void Listener::serve() {
  const QuietThread quiet;
  while (!stopping_) {
    T_ASC_Association* association = nullptr;
    const OFCondition came =
        ASC_receiveAssociation(network_, &association, std::clamp(options_.max_pdu, 4096L, 131072L), nullptr, nullptr,
                               options_.tls.enabled() ? OFTrue : OFFalse, DUL_NOBLOCK, 1);
    if (came.good()) {
      const std::uint64_t number = ++associations_;
      try {
        Conversation(*this, association, number).hold();
      } catch (const std::exception& e) {
        ASC_abortAssociation(association);
        ListenerEvent event;
        event.kind = ListenerEvent::Kind::association_failed;
        event.text = std::string("an association was aborted: ") + e.what();
        tell(std::move(event));
      }
      const std::lock_guard lock(mutex_);
      tell_whole(watch_.association_ended(number));
    } else if (came != DUL_NOASSOCIATIONREQUEST && came.code() != DULC_TCPINITERROR) {
      ListenerEvent event;
      event.kind = ListenerEvent::Kind::association_failed;
      event.text = came == DUL_READTIMEOUT || came == DUL_NETWORKCLOSED
                       ? std::string("a peer connected and asked for no association")
                       : std::string("a peer connected and spoke no valid DICOM") +
                             (options_.tls.enabled() ? " over TLS: " : ": ") + came.text();
      tell(std::move(event));
    }
    if (association != nullptr) {
      ASC_dropAssociation(association);
      ASC_destroyAssociation(&association);
    }
    const std::lock_guard lock(mutex_);
    tell_whole(watch_.idle_since(SeriesWatch::Clock::now() - std::chrono::seconds(options_.series_idle_s)));
  }
}

void Listener::tell_whole(const std::vector<SeriesWatch::Whole>& whole) {
  for (const auto& series : whole) {
    ListenerEvent event;
    event.kind = ListenerEvent::Kind::series;
    event.name = series.name;
    event.instances = series.instances;
    event.path = inbox_.series_folder(series.name);
    events_.push_back(std::move(event));
  }
  if (!whole.empty()) told_.notify_all();
}

void Listener::tell(ListenerEvent event) {
  const std::lock_guard lock(mutex_);
  // Complaints that nobody takes must not fill the memory: a peer can cause as many as it likes.
  const bool complaint =
      event.kind == ListenerEvent::Kind::refused || event.kind == ListenerEvent::Kind::association_failed;
  if (complaint && events_.size() >= most_events) return;
  events_.push_back(std::move(event));
  told_.notify_all();
}

std::optional<ListenerEvent> Listener::next(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  if (!told_.wait_for(lock, timeout, [&] { return !events_.empty(); })) return std::nullopt;
  ListenerEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

}  // namespace isocenter::detail::dicom
