// isocenter echo, send, commit, receive, find, fetch, mpps: the dicom module's network operators, each as a pipeline of
// one node. A peer is an application entity, TITLE@host:port, or for send, find and fetch a DICOMweb service,
// https://host/path.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "dicom/web/web_address.hpp"
#include "interrupt.hpp"

namespace isocenter::command {
namespace {

/// Parameters of the node, by name; empty ones keep their default.
using Settings = std::vector<std::pair<std::string, std::string>>;

void print_warning(void*, std::int32_t level, const char* message) {
  if (level >= ISOCENTER_LOG_WARNING) std::cerr << message << "\n";
}

nlohmann::json node_of(const Session& session) { return nlohmann::json::parse(session.report()).at("nodes").at(0); }

/// Prepares a pipeline of this one node: all that echo and find do.
Session prepare(const Globals& globals, const char* type, const Settings& settings) {
  const Context context = make_context(globals, 0, print_warning);
  if (isocenter_operator_find(context.get(), type) == nullptr) {
    if (isocenter_operator_find(context.get(), "dicom_echo") != nullptr)
      throw Exit(exit_usage, "this installation's dicom module has no DICOMweb. Fix: build it with libcurl.");
    throw Exit(exit_usage, "this installation has no dicom module. Fix: see 'isocenter modules' for the reason.");
  }
  Pipeline pipeline(context);
  pipeline.add("peer", type);
  for (const auto& [name, value] : settings)
    if (!value.empty()) pipeline.set("peer", name, value);
  try {
    return pipeline.prepare();
  } catch (const Error& e) {
    throw Exit(exit_code(e.code(), e.what(), {Origin::Phase::planning, true}), e.what());
  }
}

/// Runs it to its end, or until Ctrl-C.
nlohmann::json run(const Globals& globals, const char* type, const Settings& settings, ExitCode& ended) {
  interrupt::install();
  Session session = prepare(globals, type, settings);
  const interrupt::Watch watch(session);
  ended = exit_ok;
  try {
    session.start();
    session.wait();
  } catch (const Error& e) {
    ended = exit_code(e.code(), e.what(), {Origin::Phase::running, true});
    if (ended != exit_cancelled) std::cerr << e.what() << "\n";
  }
  return node_of(session);
}

/// A number of the node's last run; "0" when it did not get that far.
std::string metric(const nlohmann::json& node, const char* name) {
  const auto& metrics = node.at("metrics");
  if (!metrics.contains(name)) return "0";
  return std::to_string(static_cast<long long>(metrics.at(name).at("values").at(0).get<double>()));
}

struct PeerOptions {
  std::string address, called_ae, calling_ae, timeout_s, max_pdu, certificate, key, authorities;
  std::string token_file, token_variable;
  bool is_web() const { return detail::dicom::is_web_address(address); }
};

void add_tls(CLI::App* sub, PeerOptions& o) {
  sub->add_option("--tls-certificate", o.certificate, "PEM file: our certificate; turns TLS on")->type_name("FILE");
  sub->add_option("--tls-key", o.key, "PEM file: its private key")->type_name("FILE");
  sub->add_option("--tls-authorities", o.authorities, "PEM file: who must have issued the peer's certificate")
      ->type_name("FILE");
}

void add_peer(CLI::App* sub, PeerOptions& o) {
  sub->add_option("PEER", o.address, "TITLE@host:port, the peer's AE title, name and port")->required()->type_name("");
  sub->add_option("--aet", o.calling_ae, "Our AE title (ISOCENTER)")->type_name("TITLE");
  sub->add_option("--timeout", o.timeout_s, "Seconds to wait for a connection and for each answer (30)")
      ->type_name("S");
  sub->add_option("--max-pdu", o.max_pdu, "Bytes that we take at once (131072)")->type_name("N");
  add_tls(sub, o);
}

/// As add_peer, or a DICOMweb service.
void add_peer_or_web(CLI::App* sub, PeerOptions& o) {
  add_peer(sub, o);
  sub->get_option("PEER")->description("TITLE@host:port, or a DICOMweb service: https://host:port/path");
  sub->add_option("--token-file", o.token_file, "DICOMweb: file with a bearer token")->type_name("FILE");
  sub->add_option("--token-variable", o.token_variable, "DICOMweb: environment variable with a bearer token")
      ->type_name("NAME");
}

/// Refuses options that say nothing to this kind of peer.
void refuse(const CLI::App& sub, const PeerOptions& o, const std::vector<const char*>& options) {
  for (const char* option : options)
    if (sub.get_option(option)->count() > 0)
      throw Exit(exit_usage, std::string(option) + " means nothing to '" + o.address + "', " +
                                 (o.is_web() ? "a DICOMweb service" : "a DICOM application entity") +
                                 ". Fix: leave it out.");
}

Settings tls_settings(const PeerOptions& o) {
  return {{"tls_certificate", o.certificate}, {"tls_key", o.key}, {"tls_authorities", o.authorities}};
}

Settings peer_settings(const PeerOptions& o) {
  const std::size_t at = o.address.find('@'), colon = o.address.rfind(':');
  if (at == std::string::npos || colon == std::string::npos || colon < at)
    throw Exit(exit_usage, "'" + o.address + "' names no peer. Fix: write TITLE@host:port, as in PACS@10.0.0.5:104.");
  Settings settings = tls_settings(o);
  settings.insert(settings.end(), {{"called_ae", o.address.substr(0, at)},
                                   {"host", o.address.substr(at + 1, colon - at - 1)},
                                   {"port", o.address.substr(colon + 1)},
                                   {"calling_ae", o.calling_ae},
                                   {"timeout_s", o.timeout_s},
                                   {"max_pdu", o.max_pdu}});
  return settings;
}

Settings web_settings(const PeerOptions& o) {
  Settings settings = tls_settings(o);
  settings.insert(settings.end(), {{"url", o.address},
                                   {"token_file", o.token_file},
                                   {"token_variable", o.token_variable},
                                   {"timeout_s", o.timeout_s}});
  return settings;
}

std::string lines(const std::vector<std::string>& keys) {
  std::string text;
  for (const std::string& key : keys) text += key + "\n";
  return text;
}

template <class Options, class Run>
void act(CLI::App* sub, const std::shared_ptr<Options>& o, Action& action, Run run_it) {
  sub->callback([o, &action, run_it] { action = [o, run_it] { return run_it(*o); }; });
}

void add_echo(CLI::App& app, const Globals& globals, Action& action) {
  auto o = std::make_shared<PeerOptions>();
  auto* sub = app.add_subcommand("echo", "Asks a DICOM peer whether it is there (C-ECHO)");
  add_peer(sub, *o);
  sub->footer("Example:\n  isocenter echo PACS@10.0.0.5:104");
  act(sub, o, action, [&globals](const PeerOptions& p) {
    const Session session = prepare(globals, "dicom_echo", peer_settings(p));
    std::cout << p.address << " answered in " << node_of(session).at("facts").at("dicom.echo").get<std::string>()
              << "\n";
    return exit_ok;
  });
}

void add_send(CLI::App& app, const Globals& globals, Action& action) {
  struct Options : PeerOptions {
    std::string path, outbox, associations, batch, attempts, listen_port, wait_s;
    bool commit = false;
  };
  auto o = std::make_shared<Options>();
  auto* sub = app.add_subcommand("send", "Sends DICOM files to a peer (C-STORE or STOW-RS), durably");
  add_peer_or_web(sub, *o);
  sub->add_option("PATH", o->path, "A file, or a folder with all below it; none: only what the outbox has")
      ->type_name("");
  sub->add_option("--outbox", o->outbox, "Folder that keeps what was not sent yet; one for each peer")
      ->required()
      ->type_name("DIR");
  sub->add_option("--associations", o->associations, "How many at once (1)")->type_name("N");
  sub->add_option("--batch", o->batch, "DICOMweb: how many instances in one request (50)")->type_name("N");
  sub->add_option("--attempts", o->attempts, "In a row without success before it ends (8); 0: for ever")
      ->type_name("N");
  sub->add_flag("--commit", o->commit, "The peer has to commit itself to what it was sent, too");
  sub->add_option("--listen", o->listen_port, "--commit: where the peer may bring its report, under our AE title")
      ->type_name("N");
  sub->add_option("--wait", o->wait_s, "--commit: seconds to wait for the report (300)")->type_name("S");
  sub->footer(
      "Examples:\n  isocenter send PACS@10.0.0.5:104 out/ --outbox /var/spool/pacs --commit --listen 11112\n"
      "  isocenter send https://pacs.example/dicom-web out/ --outbox /var/spool/web --token-file token\n\n"
      "Ends with 0 when the peer has acknowledged everything (and, with --commit, committed\n"
      "itself to it), else with 3; what is left stays in the outbox.");
  act(sub, o, action, [&globals, sub](const Options& p) {
    if (p.is_web())
      refuse(*sub, p, {"--aet", "--max-pdu", "--associations", "--commit", "--listen", "--wait"});
    else
      refuse(*sub, p, {"--token-file", "--token-variable", "--batch"});
    Settings settings = p.is_web() ? web_settings(p) : peer_settings(p);
    settings.insert(settings.end(), {{"path", p.path}, {"outbox", p.outbox}, {"attempts", p.attempts}});
    settings.emplace_back(p.is_web() ? "batch" : "associations", p.is_web() ? p.batch : p.associations);
    if (p.commit) settings.emplace_back("commit", "true");
    if (!p.is_web()) settings.insert(settings.end(), {{"listen_port", p.listen_port}, {"wait_s", p.wait_s}});
    ExitCode ended = exit_ok;
    const auto node = run(globals, p.is_web() ? "dicomweb_send" : "dicom_send", settings, ended);
    std::cout << metric(node, "delivered") << " delivered, " << metric(node, "found_there") << " found there, ";
    if (p.commit) std::cout << metric(node, "committed") << " committed, ";
    std::cout << metric(node, "refused") << " refused, " << metric(node, "left") << " left\n";
    return ended;
  });
}

void add_receive(CLI::App& app, const Globals& globals, Action& action) {
  struct Options : PeerOptions {
    std::string inbox, title, port, calling, associations, idle, series, journal;
    bool any_title = false;
  };
  auto o = std::make_shared<Options>();
  auto* sub = app.add_subcommand("receive", "Takes what DICOM peers send (C-ECHO and C-STORE provider), durably");
  sub->add_option("INBOX", o->inbox, "Folder for INBOX/study/series/instance.dcm")->required()->type_name("");
  sub->add_option("--aet", o->title, "Our AE title (ISOCENTER)")->type_name("TITLE");
  sub->add_option("--port", o->port, "Where we listen (11112)")->type_name("N");
  sub->add_option("--from", o->calling, "AE titles that may call, separated by commas (anyone)")->type_name("TITLES");
  sub->add_flag("--any-title", o->any_title, "Answer to other AE titles than ours, too");
  sub->add_option("--associations", o->associations, "At once; further peers wait (16)")->type_name("N");
  sub->add_option("--timeout", o->timeout_s, "Seconds of silence that end an association (30)")->type_name("S");
  sub->add_option("--idle", o->idle, "Seconds without an instance after which a series is whole (60)")->type_name("S");
  sub->add_option("--journal", o->journal,
                  "MiB of a journal whose flushes instances share, 64 or more: for slow disks (0: none)")
      ->type_name("MIB");
  sub->add_option("--series", o->series, "End after so many whole series; without it at Ctrl-C")->type_name("N");
  add_tls(sub, *o);
  sub->footer("Example:\n  isocenter receive /var/spool/inbox --aet SCANROOM --port 11112");
  act(sub, o, action, [&globals](const Options& p) {
    Settings settings = tls_settings(p);
    settings.insert(settings.end(), {{"inbox", p.inbox},
                                     {"ae_title", p.title},
                                     {"port", p.port},
                                     {"calling_aes", p.calling},
                                     {"any_called_ae", p.any_title ? "true" : ""},
                                     {"associations", p.associations},
                                     {"timeout_s", p.timeout_s},
                                     {"idle_s", p.idle},
                                     {"journal_mib", p.journal},
                                     {"series", p.series}});
    ExitCode ended = exit_ok;
    const auto node = run(globals, "dicom_receive", settings, ended);
    std::cout << metric(node, "instances") << " instances, " << metric(node, "series") << " whole series\n";
    return p.series.empty() && ended == exit_cancelled ? exit_ok : ended;
  });
}

void add_find(CLI::App& app, const Globals& globals, Action& action) {
  struct Options : PeerOptions {
    std::string level, limit;
    std::vector<std::string> keys;
    bool worklist = false;
  };
  auto o = std::make_shared<Options>();
  auto* sub = app.add_subcommand("find", "Asks a PACS what it has (C-FIND or QIDO-RS), or for its worklist; JSON out");
  add_peer_or_web(sub, *o);
  sub->add_option("-k,--key", o->keys, "KEYWORD=VALUE that has to match, or KEYWORD to ask for; repeatable")
      ->type_name("KEY")
      ->allow_extra_args(false);
  sub->add_option("--level", o->level, "patient, study, series or image (study)")->type_name("LEVEL");
  sub->add_flag("--worklist", o->worklist, "Ask for the modality worklist instead");
  sub->add_option("--limit", o->limit, "More answers are an error (10000)")->type_name("N");
  sub->footer(
      "Examples:\n  isocenter find PACS@10.0.0.5:104 -k PatientID=123\n"
      "  isocenter find https://pacs.example/dicom-web -k PatientID=123 --token-file token\n"
      "  isocenter find RIS@10.0.0.6:104 --worklist -k 'ScheduledProcedureStepSequence[0].Modality=CT'\n\n"
      "Answers are in the DICOM JSON model (PS3.18 annex F).");
  act(sub, o, action, [&globals, sub](const Options& p) {
    if (p.is_web())
      refuse(*sub, p, {"--aet", "--max-pdu", "--worklist"});
    else
      refuse(*sub, p, {"--token-file", "--token-variable"});
    Settings settings = p.is_web() ? web_settings(p) : peer_settings(p);
    settings.insert(settings.end(), {{"level", p.level}, {"keys", lines(p.keys)}, {"limit", p.limit}});
    if (p.worklist) settings.emplace_back("model", "worklist");
    const Session session = prepare(globals, p.is_web() ? "dicomweb_find" : "dicom_find", settings);
    std::cout << node_of(session).at("facts").at("dicom.answers").get<std::string>();
    return exit_ok;
  });
}

void add_fetch(CLI::App& app, const Globals& globals, Action& action) {
  struct Options : PeerOptions {
    std::string inbox, level, destination, listen_port, content, frames, picture, transfer_syntax;
    std::vector<std::string> keys;
    bool move = false, bulk_data = false;
  };
  auto o = std::make_shared<Options>();
  auto* sub = app.add_subcommand("fetch", "Fetches studies, series or images from a PACS (C-GET, C-MOVE or WADO-RS)");
  add_peer_or_web(sub, *o);
  sub->add_option("INBOX", o->inbox, "Folder for INBOX/study/series/instance.dcm")->required()->type_name("");
  sub->add_option("-k,--key", o->keys, "StudyInstanceUID=..., and so on down to the level; repeatable")
      ->required()
      ->type_name("KEY")
      ->allow_extra_args(false);
  sub->add_option("--level", o->level, "patient, study, series or image (study)")->type_name("LEVEL");
  sub->add_flag("--move", o->move, "C-MOVE instead of C-GET");
  sub->add_option("--to", o->destination, "C-MOVE: the AE title that it goes to (--aet)")->type_name("TITLE");
  sub->add_option("--listen", o->listen_port, "C-MOVE: we are that AE title, at this port")->type_name("N");
  sub->add_option("--content", o->content, "DICOMweb: instances, metadata, frames or rendered (instances)")
      ->type_name("WHAT");
  sub->add_option("--frames", o->frames, "DICOMweb: numbers of frames, from 1, separated by commas")->type_name("N");
  sub->add_option("--picture", o->picture, "DICOMweb: rendered as jpeg or png (jpeg)")->type_name("FORMAT");
  sub->add_option("--transfer-syntax", o->transfer_syntax, "DICOMweb: its UID, of instances and frames (as stored)")
      ->type_name("UID");
  sub->add_flag("--bulk-data", o->bulk_data, "DICOMweb: metadata with what it only refers to");
  sub->footer(
      "Examples:\n  isocenter fetch PACS@10.0.0.5:104 inbox/ -k StudyInstanceUID=1.2.3 --move --listen 11112\n"
      "  isocenter fetch https://pacs.example/dicom-web inbox/ -k StudyInstanceUID=1.2.3 --token-file token");
  act(sub, o, action, [&globals, sub](const Options& p) {
    if (p.is_web())
      refuse(*sub, p, {"--aet", "--max-pdu", "--level", "--move", "--to", "--listen"});
    else
      refuse(*sub, p,
             {"--token-file", "--token-variable", "--content", "--frames", "--picture", "--transfer-syntax",
              "--bulk-data"});
    Settings settings = p.is_web() ? web_settings(p) : peer_settings(p);
    settings.insert(settings.end(), {{"inbox", p.inbox}, {"keys", lines(p.keys)}});
    if (p.is_web())
      settings.insert(settings.end(), {{"content", p.content},
                                       {"frames", p.frames},
                                       {"picture", p.picture},
                                       {"transfer_syntax", p.transfer_syntax},
                                       {"bulk_data", p.bulk_data ? "true" : ""}});
    else
      settings.insert(settings.end(), {{"method", p.move ? "move" : ""},
                                       {"level", p.level},
                                       {"destination", p.destination},
                                       {"listen_port", p.listen_port}});
    ExitCode ended = exit_ok;
    const auto node = run(globals, p.is_web() ? "dicomweb_fetch" : "dicom_fetch", settings, ended);
    std::cout << metric(node, "completed") << " fetched, " << metric(node, "failed") << " failed\n";
    return ended;
  });
}

void add_commit(CLI::App& app, const Globals& globals, Action& action) {
  struct Options : PeerOptions {
    std::string path, listen_port, wait_s;
  };
  auto o = std::make_shared<Options>();
  auto* sub = app.add_subcommand("commit", "Asks a PACS to take responsibility for what it was sent");
  add_peer(sub, *o);
  sub->add_option("PATH", o->path, "A file that was sent, or a folder with all below it")->required()->type_name("");
  sub->add_option("--listen", o->listen_port, "Where the peer may bring its report, under our AE title")
      ->type_name("N");
  sub->add_option("--wait", o->wait_s, "Seconds to wait for the report (300)")->type_name("S");
  sub->footer("Example:\n  isocenter commit PACS@10.0.0.5:104 out/ --listen 11112");
  act(sub, o, action, [&globals](const Options& p) {
    Settings settings = peer_settings(p);
    settings.insert(settings.end(), {{"path", p.path}, {"listen_port", p.listen_port}, {"wait_s", p.wait_s}});
    ExitCode ended = exit_ok;
    const auto node = run(globals, "dicom_commit", settings, ended);
    std::cout << metric(node, "committed") << " committed, " << metric(node, "failed") << " not\n";
    return ended;
  });
}

void add_mpps(CLI::App& app, const Globals& globals, Action& action) {
  struct Options : PeerOptions {
    std::string uid, path;
    std::vector<std::string> keys;
  };
  auto* group = app.add_subcommand("mpps", "Tells an information system that an examination began or ended");
  group->require_subcommand(1);
  const auto add = [&](const char* name, const char* summary, bool end) {
    auto o = std::make_shared<Options>();
    auto* sub = group->add_subcommand(name, summary);
    add_peer(sub, *o);
    auto* uid = sub->add_option("--uid", o->uid, end ? "The step, as start printed it" : "The step; else a new one");
    uid->type_name("UID")->required(end);
    sub->add_option("-k,--key", o->keys, "KEYWORD=VALUE, an attribute of the step; repeatable")
        ->type_name("KEY")
        ->allow_extra_args(false);
    if (end) sub->add_option("--made", o->path, "A file or folder: the instances that were made")->type_name("PATH");
    sub->footer(end ? "Example:\n  isocenter mpps complete RIS@10.0.0.6:104 --uid 2.25.1 --made out/"
                    : "Example:\n  isocenter mpps start RIS@10.0.0.6:104 -k Modality=CT -k PatientID=1 \\\n"
                      "    -k 'ScheduledStepAttributesSequence[0].StudyInstanceUID=1.2.3'");
    act(sub, o, action, [&globals, action_name = std::string(name)](const Options& p) {
      Settings settings = peer_settings(p);
      settings.insert(settings.end(),
                      {{"action", action_name}, {"uid", p.uid}, {"keys", lines(p.keys)}, {"path", p.path}});
      ExitCode ended = exit_ok;
      const auto node = run(globals, "dicom_procedure_step", settings, ended);
      if (ended == exit_ok) std::cout << node.at("facts").at("dicom.procedure_step").get<std::string>() << "\n";
      return ended;
    });
  };
  add("start", "It began; prints the step's UID", false);
  add("complete", "It ended as planned", true);
  add("discontinue", "It was broken off", true);
}

}  // namespace

void add_network(CLI::App& app, const Globals& globals, Action& action) {
  add_echo(app, globals, action);
  add_send(app, globals, action);
  add_receive(app, globals, action);
  add_find(app, globals, action);
  add_fetch(app, globals, action);
  add_commit(app, globals, action);
  add_mpps(app, globals, action);
}

}  // namespace isocenter::command
