#!/usr/bin/env python3
"""JAX training the same network on the same images: what `make bench` measures vae-train against.

XLA compiles a whole epoch, steps and all, into one program: the fastest form on a CPU. The time to compile it is not
counted. The images are held as float32 in one array and gathered by index; every image is seen in every epoch, the last
batch being the rest. With --precision bf16 the operands of matrix products are bf16 and their sums float32, as are the
weights, the optimizer and the test loss. Needs jax, optax and numpy.
"""
import os
import time

import peer

args = peer.options(__doc__).parse_args()
if args.threads and hasattr(os, "sched_setaffinity"):
    # XLA takes as many threads as it has cores, and asks once, when it is loaded.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import optax  # noqa: E402

train, test = jnp.asarray(peer.images(args.train)), jnp.asarray(peer.images(args.test))
activation = {"relu": jax.nn.relu, "tanh": jnp.tanh}[args.activation]
operands = {"fp32": jnp.float32, "bf16": jnp.bfloat16}[args.precision]
pixels, hidden = train.shape[1], args.hidden
encoder, decoder = [pixels, *hidden], [args.latent, *hidden[::-1], pixels]


def layer(key, fan_in, out):
    """A layer as PyTorch's nn.Linear begins: weights and biases uniform in ±1/sqrt(fan_in)."""
    weight, bias = jax.random.split(key)
    bound = fan_in**-0.5
    return jax.random.uniform(weight, (fan_in, out), minval=-bound, maxval=bound), jax.random.uniform(
        bias, (out,), minval=-bound, maxval=bound
    )


def linear(layer, x, dtype):
    weight, bias = layer
    return jnp.matmul(x.astype(dtype), weight.astype(dtype), preferred_element_type=jnp.float32) + bias


def stack(layers, x, dtype):
    for layer in layers:
        x = activation(linear(layer, x, dtype))
    return x


def mean_loss(params, x, key, dtype=operands):
    """The loss of the images x [N, D], mean over them and over L draws of z for each."""
    mu, logvar = jnp.split(linear(params["q"], stack(params["encoder"], x, dtype), dtype), 2, axis=1)
    noise = jax.random.normal(key, (args.samples, *mu.shape))
    z = (mu + noise * jnp.exp(0.5 * logvar)).reshape(-1, args.latent)
    *layers, last = params["decoder"]
    logits = linear(last, stack(layers, z, dtype), dtype).reshape(args.samples, *x.shape)
    # Optax's own cross entropy takes two logarithms of a pixel; one is enough.
    recon = jnp.sum(jnp.maximum(logits, 0) - logits * x + jnp.log1p(jnp.exp(-jnp.abs(logits)))) / args.samples
    return (recon - 0.5 * jnp.sum(1 + logvar - mu * mu - jnp.exp(logvar))) / len(x)


optimizer = optax.adam(args.lr)
whole = len(train) // args.batch


@jax.jit
def epoch(params, state, key):
    """One epoch: the whole batches in a loop, then the rest. Gives the summed loss too."""
    shuffle, noise = jax.random.split(key)
    order = jax.random.permutation(shuffle, len(train))

    def step(carry, at):
        params, state, key = carry
        key, eps = jax.random.split(key)
        loss, gradient = jax.value_and_grad(mean_loss)(params, train[at], eps)
        updates, state = optimizer.update(gradient, state)
        return (optax.apply_updates(params, updates), state, key), loss * len(at)

    batches, rest = order[: whole * args.batch].reshape(whole, args.batch), order[whole * args.batch :]
    carry, losses = jax.lax.scan(step, (params, state, noise), batches)
    total = losses.sum()
    if len(rest):
        carry, loss = step(carry, rest)
        total += loss
    params, state, _ = carry
    return params, state, total


@jax.jit
def held(params, key):
    """The mean loss of the test images, 500 at a time, in float32."""
    batches, keys = test.reshape(-1, 500, pixels), jax.random.split(key, len(test) // 500)
    return jax.lax.map(lambda batch: mean_loss(params, *batch, jnp.float32), (batches, keys)).mean()



key = jax.random.key(args.seed)
key, *keys = jax.random.split(key, 2 * len(encoder) + 1)
keys = iter(keys)
params = {
    "encoder": [layer(next(keys), i, o) for i, o in zip(encoder, encoder[1:])],
    "q": layer(next(keys), hidden[-1], 2 * args.latent),
    "decoder": [layer(next(keys), i, o) for i, o in zip(decoder, decoder[1:])],
}
state = optimizer.init(params)
run = epoch.lower(params, state, key).compile()
for number in range(1, args.epochs + 1):
    key, of_epoch, of_test = jax.random.split(key, 3)
    begun = time.perf_counter()
    params, state, total = jax.block_until_ready(run(params, state, of_epoch))
    seconds = time.perf_counter() - begun
    losses = {"loss": float(total) / len(train)}, {"loss": float(held(params, of_test))}
    peer.report(f"JAX {jax.__version__}", number, seconds, *losses)
