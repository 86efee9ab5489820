// Streams of the emulator: lazy queues, whose work runs when the host synchronizes and no earlier.
//
// A missing synchronization (a result read too early, a buffer overwritten before its copy) gives wrong bytes here
// always, and on a GPU now and then. Where NVIDIA's documentation leaves open when a call accesses memory ("API
// synchronization behavior"), it is here as late as allowed. There is no legacy default stream.
#pragma once
#include "emulator.h"
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>

enum {
    SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, INVALID_CONTEXT = 201, INVALID_HANDLE = 400,
    NOT_FOUND = 500, LAUNCH_FAILED = 719, CAPTURE_UNSUPPORTED = 900, CAPTURE_WRONG_THREAD = 908
};

static long setting(const char* name, long usual) {
    const char* text = getenv((std::string("EMULATOR_") + name).c_str());
    return text ? atol(text) : usual;
}
// Fault injection: whether FAIL names this call.
static bool fails(const std::string& what, long call) {
    const char* text = getenv("EMULATOR_FAIL");
    return text && text == what + ":" + std::to_string(call);
}

static std::mutex lock;  // guards all state: the device is serial
static bool lost;        // sticky error: a launch has failed

struct Launch {
    emulator::Kernel* kernel;
    dim3 grid, block;
    std::vector<std::vector<char>> arguments;
    void run() {
        static long calls;
        if ((lost |= fails("launch", ++calls))) return;
        std::vector<void*> pointers;
        for (auto& argument : arguments) pointers.push_back(argument.data());
        emulator::launch(kernel->entry, grid, block, pointers.data());
    }
};
using Graph = std::vector<Launch>;

struct Capture {
    enum { GLOBAL, THREAD_LOCAL, RELAXED };
    int mode;
    std::thread::id thread;
    std::unique_ptr<Graph> graph;
};
struct Work {
    long number;  // issue order over all streams
    std::function<void()> run;
};
struct Stream {
    bool destroyed = false;
    std::deque<Work> queue;
    std::unique_ptr<Capture> capture;
};
static std::list<Stream> streams;
static thread_local bool has_context;

// The stream of a handle; null if the handle is invalid or the thread has no context.
static Stream* find(void* handle) {
    if (!has_context) return nullptr;
    for (auto& stream : streams)
        if (&stream == handle && !stream.destroyed) return &stream;
    return nullptr;
}

static long issued;
// Deferred frees: each runs once all work issued before it has run.
static std::list<Work> deferred;

static void run_deferred() {
    long oldest = issued + 1;
    for (auto& stream : streams)
        if (!stream.queue.empty()) oldest = std::min(oldest, stream.queue.front().number);
    for (; !deferred.empty() && deferred.front().number < oldest; deferred.pop_front()) deferred.front().run();
}
// Runs all work queued on some streams, and on destroyed ones.
template <class Which>
static int drain(Which which) {
    for (auto& stream : streams) {
        while ((stream.destroyed || which(stream)) && !stream.queue.empty()) {
            auto work = std::move(stream.queue.front());
            stream.queue.pop_front();
            if (!lost) work.run();
        }
    }
    streams.remove_if([](const Stream& stream) { return stream.destroyed; });
    run_deferred();
    return lost ? LAUNCH_FAILED : SUCCESS;
}
static int drain(Stream& stream) {
    return drain([&](Stream& other) { return &other == &stream; });
}
// Queues work that a capture cannot record.
static int enqueue(void* handle, std::function<void()> work) {
    Stream* stream = find(handle);
    if (!stream) return INVALID_HANDLE;
    if (stream->capture) emulator::die("a capture records launches only");
    if (lost) return LAUNCH_FAILED;
    stream->queue.push_back({++issued, std::move(work)});
    return SUCCESS;
}

// The error of a "potentially unsafe" call (cuThreadExchangeStreamCaptureMode) during a capture, or SUCCESS.
static int unsafe_call_error() {
    if (!has_context) return INVALID_CONTEXT;
    for (auto& stream : streams) {
        if (!stream.capture || stream.capture->mode == Capture::RELAXED) continue;
        if (stream.capture->mode == Capture::GLOBAL || stream.capture->thread == std::this_thread::get_id())
            return CAPTURE_UNSUPPORTED;
    }
    return lost ? LAUNCH_FAILED : SUCCESS;
}
