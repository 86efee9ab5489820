// Several operations in turn on the rows of each image. A thread of a block sees what the others of the block have written
// after a barrier, and no image reads of another, so that many operations need one launch.
#include "each.h"

// The numbers are those of backend/cuda/call.rs.
enum Op {
    GATHER, ONE_HOT, CONCAT, FIRST, CENTRE, KEEP, LINEAR, LINEAR_BACK, ACT_BACK, WEIGH, IM2COL, COL2IM, SAMPLE, SAMPLE_BACK,
    KL, KL_BACK, KL_PRIOR_BACK, SAMPLED_KL, SIGMOID, BERNOULLI, GAUSSIAN, GAUSSIAN_LEARNED, SQUARED_ERROR, ELBO
};

// All calls on image n = blockIdx.x, so many steps ahead of where the run is; launched with N blocks, or with
// several for each image if there is one call and its values are many
extern "C" __global__ void __launch_bounds__(THREADS) each(const Run* run, int ahead, const __grid_constant__ Calls all) {
    Image at;
    at.n = blockIdx.x;
    at.run = run;
    at.now = run->steps[run->step + ahead];
    at.live = at.n < at.now.live;
    Visit none = {0, 0};
    at.visit = at.live ? run->order[at.now.at + at.n] : none;
    for (int i = 0; i < all.count; i++) {
        const Call& c = all.calls[i];
        switch (c.op) {
            case GATHER: gather(c, at); break;
            case ONE_HOT: one_hot(c, at); break;
            case CONCAT: concat(c, at); break;
            case FIRST: first(c, at); break;
            case CENTRE: centre(c, at); break;
            case KEEP: keep(c, at); break;
            case LINEAR: linear(c, at); break;
            case LINEAR_BACK: linear_back(c, at); break;
            case ACT_BACK: act_back(c, at); break;
            case WEIGH: weigh(c, at); break;
            case IM2COL: im2col(c, at); break;
            case COL2IM: col2im(c, at); break;
            case SAMPLE: sample(c, at); break;
            case SAMPLE_BACK: sample_back(c, at); break;
            case KL: kl(c, at); break;
            case KL_BACK: kl_back(c, at); break;
            case KL_PRIOR_BACK: kl_prior_back(c, at); break;
            case SAMPLED_KL: sampled_kl(c, at); break;
            case SIGMOID: sigmoid(c, at); break;
            case BERNOULLI: bernoulli(c, at); break;
            case GAUSSIAN: gaussian(c, at); break;
            case GAUSSIAN_LEARNED: gaussian_learned(c, at); break;
            case SQUARED_ERROR: squared_error(c, at); break;
            case ELBO: elbo(c, at); break;
        }
        __syncthreads();
    }
}

// So many steps ahead in the run; launched with one thread, behind all the others
extern "C" __global__ void advance(Run* run, int by) { run->step += by; }
