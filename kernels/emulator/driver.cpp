// A libcuda.so.1 whose one device runs the kernels on the host: what a program does with a GPU can be tested without one.
//
// It does not execute PTX, nor does anything run at the same time as the host. Device memory ends at a page that nobody may
// touch, so that a kernel that runs over its buffer stops the program. What EMULATOR_... changes:
//   DRIVER=11040, CAPABILITY=75, MEMORY=bytes   what the device says of itself
//   SEED=N                                      another order in which threads take turns (emulator.h)
//   FAIL=alloc:N | launch:N                     the N-th allocation, or the N-th launch and all after it, fails
#include "../each.cu"
#include "../products.cu"
#include "../tensor.cu"
#include <chrono>
#include <memory>
#include <mutex>
#include <sys/mman.h>

KERNEL(each) KERNEL(advance) KERNEL(settle)
KERNEL(linear_thin) KERNEL(linear_wide) KERNEL(linear_large)
KERNEL(linear_back_thin) KERNEL(linear_back_wide) KERNEL(linear_back_large)
KERNEL(learn_wide) KERNEL(learn_large)
KERNEL(linear_thin_tf32) KERNEL(linear_wide_tf32) KERNEL(linear_large_tf32)
KERNEL(linear_back_thin_tf32) KERNEL(linear_back_wide_tf32) KERNEL(linear_back_large_tf32)
KERNEL(learn_wide_tf32) KERNEL(learn_large_tf32)
KERNEL(linear_thin_bf16) KERNEL(linear_wide_bf16) KERNEL(linear_large_bf16)
KERNEL(linear_back_thin_bf16) KERNEL(linear_back_wide_bf16) KERNEL(linear_back_large_bf16)
KERNEL(learn_wide_bf16) KERNEL(learn_large_bf16)

#define API extern "C" int
using Address = unsigned long long;
enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, NOT_FOUND = 500, LAUNCH_FAILED = 719 };

static long setting(const char* name, long usual) {
    const char* text = getenv((std::string("EMULATOR_") + name).c_str());
    return text ? atol(text) : usual;
}
// Whether this is the call that FAIL names.
static bool fails(const std::string& what, long call) {
    const char* text = getenv("EMULATOR_FAIL");
    return text && text == what + ":" + std::to_string(call);
}

// ---- the device

API cuInit(unsigned) { return SUCCESS; }
API cuDriverGetVersion(int* version) { *version = setting("DRIVER", 13000); return SUCCESS; }
API cuDeviceGetCount(int* count) { *count = 1; return SUCCESS; }
API cuDeviceGet(int* device, int ordinal) { *device = ordinal; return ordinal ? INVALID_DEVICE : SUCCESS; }
API cuDeviceGetName(char* name, int size, int) { snprintf(name, size, "host emulator"); return SUCCESS; }
API cuDeviceGetAttribute(int* value, int attribute, int) {
    enum { CAPABILITY_MAJOR = 75, CAPABILITY_MINOR = 76 };
    long capability = setting("CAPABILITY", 90);
    *value = attribute == CAPABILITY_MAJOR ? capability / 10 : attribute == CAPABILITY_MINOR ? capability % 10 : 0;
    return SUCCESS;
}
API cuDevicePrimaryCtxRetain(void** context, int) { *context = (void*)1; return SUCCESS; }
API cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
API cuDevicePrimaryCtxSetFlags_v2(int, unsigned) { return SUCCESS; }
API cuCtxSetCurrent(void*) { return SUCCESS; }
API cuGetErrorString(int error, const char** text) {
    *text = error == OUT_OF_MEMORY ? "out of memory" : error == LAUNCH_FAILED ? "unspecified launch failure" : "an error";
    return SUCCESS;
}

// ---- memory

static std::mutex lock;  // of these two
static std::map<Address, std::pair<void*, size_t>> allocations;
static size_t allocated;
static long failed_launch;  // after one, everything fails

static size_t pages(size_t size) { return (size + 4095) & ~size_t(4095); }
API cuMemGetInfo_v2(size_t* free, size_t* total) {
    *total = setting("MEMORY", 4l << 30);
    *free = *total > allocated ? *total - allocated : 0;
    return SUCCESS;
}
API cuMemAlloc_v2(Address* address, size_t size) {
    static long calls;
    std::lock_guard<std::mutex> held(lock);
    if (failed_launch) return LAUNCH_FAILED;
    if (fails("alloc", ++calls)) return OUT_OF_MEMORY;
    if (!size) return INVALID_VALUE;
    size_t whole = pages(size);
    char* base = (char*)mmap(nullptr, whole + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return OUT_OF_MEMORY;
    mprotect(base + whole, 4096, PROT_NONE);
    memset(base, 0xff, whole);
    *address = (Address)(base + whole - ((size + 15) & ~size_t(15)));
    allocations[*address] = {base, whole + 4096};
    allocated += whole;
    return SUCCESS;
}
API cuMemFree_v2(Address address) {
    std::lock_guard<std::mutex> held(lock);
    auto found = allocations.find(address);
    if (found == allocations.end()) return INVALID_VALUE;
    munmap(found->second.first, found->second.second);
    allocated -= found->second.second - 4096;
    allocations.erase(found);
    return SUCCESS;
}
static int copied(void* to, const void* from, size_t size) {
    if (failed_launch) return LAUNCH_FAILED;
    memcpy(to, from, size);
    return SUCCESS;
}
API cuMemcpyHtoD_v2(Address to, const void* from, size_t size) { return copied((void*)to, from, size); }
API cuMemcpyDtoH_v2(void* to, Address from, size_t size) { return copied(to, (void*)from, size); }
API cuMemsetD8_v2(Address to, unsigned char value, size_t size) { memset((void*)to, value, size); return SUCCESS; }
API cuMemsetD32_v2(Address to, unsigned value, size_t count) { std::fill_n((unsigned*)to, count, value); return SUCCESS; }

// ---- modules: a kernel is there if the PTX has an entry of its name

API cuModuleLoadDataEx(void** module, const void* image, unsigned, void*, void*) {
    *module = new std::string((const char*)image);
    return SUCCESS;
}
API cuModuleUnload(void* module) { delete (std::string*)module; return SUCCESS; }
API cuModuleGetFunction(void** function, void* module, const char* name) {
    auto kernel = emulator::kernels().find(name);
    bool there = ((std::string*)module)->find(std::string(".entry ") + name + "(") != std::string::npos;
    if (!there || kernel == emulator::kernels().end()) return NOT_FOUND;
    *function = &kernel->second;
    return SUCCESS;
}

API cuFuncGetAttribute(int* value, int, void*) { *value = 0; return SUCCESS; }

// ---- launches, streams and graphs: a capture copies what each kernel is told, and a graph launches them in turn

struct Launch {
    emulator::Kernel* kernel;
    dim3 grid, block;
    std::vector<std::vector<char>> arguments;
    int run() {
        static long calls;
        if (!failed_launch && fails("launch", ++calls)) failed_launch = calls;
        if (failed_launch) return LAUNCH_FAILED;
        std::vector<void*> pointers;
        for (auto& argument : arguments) pointers.push_back(argument.data());
        emulator::launch(kernel->entry, grid, block, pointers.data());
        return SUCCESS;
    }
};
using Graph = std::vector<Launch>;
static thread_local std::unique_ptr<Graph> capture;

API cuLaunchKernel(void* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned dynamic,
                   void*, void** arguments, void**) {
    if (bx * by * bz > 1024 || bx * by * bz == 0 || gx * gy * gz == 0 || gy > 65535 || gz > 65535 || dynamic) return INVALID_VALUE;
    Launch launch{(emulator::Kernel*)f, {gx, gy, gz}, {bx, by, bz}, {}};
    for (size_t i = 0; i < launch.kernel->sizes.size(); i++) {
        const char* from = (const char*)arguments[i];
        launch.arguments.emplace_back(from, from + launch.kernel->sizes[i]);
    }
    if (!capture) return launch.run();
    capture->push_back(launch);
    return SUCCESS;
}
API cuStreamCreateWithPriority(void** stream, unsigned, int) { *stream = (void*)1; return SUCCESS; }
API cuStreamDestroy_v2(void*) { return SUCCESS; }
API cuStreamSynchronize(void*) { return failed_launch ? LAUNCH_FAILED : SUCCESS; }
API cuStreamBeginCapture_v2(void*, int) {
    if (failed_launch) return LAUNCH_FAILED;
    capture = std::make_unique<Graph>();
    return SUCCESS;
}
API cuStreamEndCapture(void*, void** graph) {
    if (!capture) return INVALID_VALUE;
    *graph = capture.release();
    return SUCCESS;
}
API cuGraphInstantiateWithFlags(void** ready, void* graph, unsigned long long) {
    *ready = new Graph(*(Graph*)graph);
    return SUCCESS;
}
API cuGraphLaunch(void* ready, void*) {
    for (Launch& launch : *(Graph*)ready)
        if (int failed = launch.run()) return failed;
    return SUCCESS;
}
API cuGraphDestroy(void* graph) { delete (Graph*)graph; return SUCCESS; }
API cuGraphExecDestroy(void* ready) { delete (Graph*)ready; return SUCCESS; }
