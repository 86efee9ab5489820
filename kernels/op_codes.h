// The codes of ops and their functions in ops.h. Generated from the table of ops, common/src/plan/op.rs:
// UPDATE_EXPECT=1 cargo test --release -p common --test cuda op_codes
#pragma once

#define FOR_EACH_OP(OP) \
    OP(GATHER, gather) \
    OP(ONE_HOT, one_hot) \
    OP(CONCAT, concat) \
    OP(NARROW, narrow) \
    OP(SUBTRACT, subtract) \
    OP(STORE, store) \
    OP(LINEAR, linear) \
    OP(LINEAR_BACK, linear_back) \
    OP(ACTIVATION_BACK, activation_back) \
    OP(SCALE_ROWS, scale_rows) \
    OP(IM2COL, im2col) \
    OP(CONV_TRANSPOSE, conv_transpose) \
    OP(SAMPLE, sample) \
    OP(SAMPLE_BACK, sample_back) \
    OP(KL, kl) \
    OP(KL_BACK, kl_back) \
    OP(KL_PRIOR_BACK, kl_prior_back) \
    OP(SAMPLED_KL, sampled_kl) \
    OP(SIGMOID, sigmoid) \
    OP(BERNOULLI, bernoulli) \
    OP(GAUSSIAN, gaussian) \
    OP(GAUSSIAN_LEARNED, gaussian_learned) \
    OP(SQUARED_ERROR, squared_error) \
    OP(WEIGHTED_SUM, weighted_sum)
