// Streams of the stand-in, and what is asked for on them: it happens when somebody waits for it, and no earlier.
//
// So a program that takes a result, or writes over what is yet to be copied, before it has waited, meets wrong bytes here
// always, and on a GPU now and then. Where NVIDIA's documentation leaves open when a call reads or writes memory ("API
// synchronization behavior"), this is as late as it may be. The legacy default stream is not here: what uses it is in no order
// with the others.
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
// Whether this is the call that FAIL names.
static bool fails(const std::string& what, long call) {
    const char* text = getenv("EMULATOR_FAIL");
    return text && text == what + ":" + std::to_string(call);
}

static std::mutex lock;  // of everything here: the device does one thing at a time
static bool lost;        // a launch has failed: everything fails

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
    long number;  // in the order of asking, over all streams
    std::function<void()> run;
};
struct Stream {
    bool gone = false;
    std::deque<Work> queue;
    std::unique_ptr<Capture> capture;
};
static std::list<Stream> streams;
static thread_local bool entered;  // this thread has a context

// The stream of a handle; none if it is not, or no longer, one that this thread may use.
static Stream* find(void* handle) {
    if (!entered) return nullptr;
    for (auto& stream : streams)
        if (&stream == handle && !stream.gone) return &stream;
    return nullptr;
}

static long asked;
// What is to be done once all is done that was asked for so far.
static std::list<Work> afterwards;

static void do_afterwards() {
    long oldest = asked + 1;
    for (auto& stream : streams)
        if (!stream.queue.empty()) oldest = std::min(oldest, stream.queue.front().number);
    for (; !afterwards.empty() && afterwards.front().number < oldest; afterwards.pop_front()) afterwards.front().run();
}
// Does all that was asked for on some streams, and on those that are gone.
template <class Which>
static int drain(Which which) {
    for (auto& stream : streams) {
        while ((stream.gone || which(stream)) && !stream.queue.empty()) {
            auto work = std::move(stream.queue.front());
            stream.queue.pop_front();
            if (!lost) work.run();
        }
    }
    streams.remove_if([](const Stream& stream) { return stream.gone; });
    do_afterwards();
    return lost ? LAUNCH_FAILED : SUCCESS;
}
static int drain(Stream& stream) {
    return drain([&](Stream& other) { return &other == &stream; });
}
// Puts work into the queue of a stream, where a capture cannot have it.
static int enqueue(void* handle, std::function<void()> work) {
    Stream* stream = find(handle);
    if (!stream) return INVALID_HANDLE;
    if (stream->capture) emulator::die("the stand-in captures launches and nothing else");
    if (lost) return LAUNCH_FAILED;
    stream->queue.push_back({++asked, std::move(work)});
    return SUCCESS;
}

// Why a call that is "potentially unsafe" (cuThreadExchangeStreamCaptureMode) may not be made now, or SUCCESS.
static int unsafe_now() {
    if (!entered) return INVALID_CONTEXT;
    for (auto& stream : streams) {
        if (!stream.capture || stream.capture->mode == Capture::RELAXED) continue;
        if (stream.capture->mode == Capture::GLOBAL || stream.capture->thread == std::this_thread::get_id())
            return CAPTURE_UNSUPPORTED;
    }
    return lost ? LAUNCH_FAILED : SUCCESS;
}
