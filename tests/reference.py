"""The formulas of U-GAT-IT once more, in float64 NumPy: the witness of the tests.

Written from the description of the official program, the plain way: nothing is fused, merged
or cached. No TensorFlow here. Arrays are [batch, height, width, channels].
"""

import numpy as np

EPSILON = 1e-5


# Layers


def convolution(x, kernel, bias=0.0, *, stride=1, padding=0):
    """Reflect-padded by hand, then VALID; a pair is padding (above and left, below and right)."""
    size = kernel.shape[0]
    if padding:
        pads = padding if isinstance(padding, tuple) else (padding, padding)
        x = np.pad(x, [(0, 0), pads, pads, (0, 0)], mode="reflect")
    height = (x.shape[1] - size) // stride + 1
    width = (x.shape[2] - size) // stride + 1
    total = np.zeros([len(x), height, width, kernel.shape[3]])
    for row, column in np.ndindex(size, size):
        rows = slice(row, row + stride * (height - 1) + 1, stride)
        columns = slice(column, column + stride * (width - 1) + 1, stride)
        total += x[:, rows, columns] @ np.float64(kernel[row, column])
    return total + bias


def upsample_convolution(x, kernel, bias=0.0):
    """Every pixel twice in both directions, then a 3x3 convolution."""
    return convolution(x.repeat(2, 1).repeat(2, 2), kernel, bias, padding=1)


def standardize(x, axes, epsilon=EPSILON, *, unbiased=False):
    mean = x.mean(axes, keepdims=True)
    count = np.prod([x.shape[axis] for axis in axes]) - unbiased
    variance = ((x - mean) ** 2).sum(axes, keepdims=True) / count
    return (x - mean) / np.sqrt(variance + epsilon)


def instance_norm(x, gamma, beta, epsilon=EPSILON):
    return standardize(x, (1, 2), epsilon) * gamma + beta


def group_norm(x, gamma, beta, groups, epsilon=EPSILON):
    parts = np.split(x, groups, -1)
    return np.concatenate([standardize(p, (1, 2, 3), epsilon) for p in parts], -1) * gamma + beta


def lin(x, rho, gamma=1.0, beta=0.0, epsilon=EPSILON, *, unbiased=False):
    of_instance, of_layer = (
        standardize(x, axes, epsilon, unbiased=unbiased) for axes in ((1, 2), (1, 2, 3))
    )
    return (rho * of_instance + (1 - rho) * of_layer) * gamma + beta


def adalin(x, gamma, beta, *, rho, smoothing=True, epsilon=EPSILON, unbiased=False):
    """gamma and beta are [batch, channels]."""
    if smoothing:
        rho = np.clip(rho - 0.1, 0.0, 1.0)
    gamma, beta = gamma[:, None, None, :], beta[:, None, None, :]
    return lin(x, rho, gamma, beta, epsilon, unbiased=unbiased)


def l2_normalize(x):
    return x / np.sqrt(np.maximum(np.sum(x**2), 1e-12))


def power_iteration(kernel, u):
    """(v, next u) after one iteration."""
    matrix = np.float64(kernel).reshape(-1, kernel.shape[-1])
    v = l2_normalize(np.float64(u) @ matrix.T)
    return v, l2_normalize(v @ matrix)


def rayleigh(kernel, v, u):
    """v W u^T: sigma for a given pair of vectors."""
    return (v @ np.float64(kernel).reshape(-1, kernel.shape[-1]) @ u.T).item()


def spectral_norm(kernel, u):
    """(sigma, next u)."""
    v, next_u = power_iteration(kernel, u)
    return rayleigh(kernel, v, next_u), next_u


def cam(x, kernel, bias, mixer_kernel, mixer_bias):
    """(features before the activation, logits), with both copies of x spelled out."""
    average, maximum = x.mean((1, 2)), x.max((1, 2))
    logits = np.concatenate([average @ kernel + bias, maximum @ kernel + bias], -1)
    weight = kernel[:, 0] + bias
    attended = np.concatenate([x * weight, x * weight], -1)
    return convolution(attended, mixer_kernel, mixer_bias), logits


def cam_of_two_heads(x, kernels, raw, mixer_kernel, mixer_bias):
    """(features before the activation, logits), of the heads of the average and the maximum.

    `kernels` make the logits; `raw` are multiplied into the two copies of x.
    """
    pooled = x.mean((1, 2)), x.max((1, 2))
    logits = np.concatenate([one @ kernel for one, kernel in zip(pooled, kernels)], -1)
    attended = np.concatenate([x * one[:, 0] for one in raw], -1)
    return convolution(attended, mixer_kernel, mixer_bias), logits


def relu(x):
    return np.maximum(x, 0.0)


def leaky_relu(x):
    return np.where(x > 0, x, 0.2 * x)


# Networks, from dict path -> array; `below` is the part of it with the given first name


def below(weights, name):
    return {
        k[len(name) + 1 :]: np.float64(v) for k, v in weights.items() if k.startswith(f"{name}/")
    }


def _conv_of(weights, name, x, **kwargs):
    return convolution(x, weights[f"{name}/kernel"], weights[f"{name}/bias"], **kwargs)


def _norm_of(weights, name, x):
    return instance_norm(x, weights[f"{name}/gamma"], weights[f"{name}/beta"])


def _cam_of(weights, x, kernel):
    mixer = weights["cam/mixer/kernel"], weights["cam/mixer/bias"]
    return cam(x, kernel, weights["cam/bias"], *mixer)


def generator(weights, x, *, n_res, light, smoothing=True, norm="adalin", cam=True):
    """(image, cam logits, heatmap)."""

    def normalized(name, h):
        parts = (weights.get(f"{name}/{part}") for part in ("rho", "gamma", "beta"))
        rho, gamma, beta = parts
        if norm == "in":
            return instance_norm(h, gamma, beta)
        if norm in ("ln", "gn"):
            return group_norm(h, gamma, beta, 1 if norm == "ln" else h.shape[-1] // 2)
        return lin(h, rho, gamma, beta)

    def convolved(name, x, **kwargs):
        return relu(
            _norm_of(weights, f"{name}/norm", _conv_of(weights, f"{name}/convolution", x, **kwargs))
        )

    def dense(name, h):
        return h @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]

    def bottleneck(name, h, part):
        h = _conv_of(weights, f"{name}/convolution_{part}", h, padding=1)
        if name.startswith("fixed"):
            return normalized(f"{name}/norm_{part}", h)
        if norm == "adain":
            return instance_norm(h, gamma[:, None, None], beta[:, None, None])
        return adalin(h, gamma, beta, rho=weights[f"{name}/norm_{part}/rho"], smoothing=smoothing)

    h = convolved("stem", x, padding=3)
    for i in range(2):
        h = convolved(f"down/{i}", h, stride=2, padding=(1, 0))
    for i in range(n_res):
        name = f"residual/{i}"
        inner = relu(
            _norm_of(
                weights, f"{name}/norm_1", _conv_of(weights, f"{name}/convolution_1", h, padding=1)
            )
        )
        h = h + _norm_of(
            weights, f"{name}/norm_2", _conv_of(weights, f"{name}/convolution_2", inner, padding=1)
        )
    cam_logit = heatmap = None
    if cam:
        h, cam_logit = _cam_of(weights, h, weights["cam/kernel"])
        heatmap = relu(h).sum(-1)
    h = relu(h)
    kind = "adaptive" if norm in ("adalin", "adain") else "fixed"
    if kind == "adaptive":
        style = h.mean((1, 2)) if light else h.reshape(len(h), -1)
        for i in range(2):
            style = relu(dense(f"mlp/{i}", style))
        gamma, beta = dense("gamma_head", style), dense("beta_head", style)
    for i in range(n_res):
        h = h + bottleneck(f"{kind}/{i}", relu(bottleneck(f"{kind}/{i}", h, 1)), 2)
    for i in range(2):
        h = upsample_convolution(
            h, weights[f"up/{i}/convolution/kernel"], weights[f"up/{i}/convolution/bias"]
        )
        h = relu(normalized(f"up/{i}/norm", h))
    return np.tanh(_conv_of(weights, "to_image", h, padding=3)), cam_logit, heatmap


def patch_network(weights, x, *, depth, sn=True, cam=True):
    """(patch logits, cam logits, heatmap); depth counts the layers of stride 2 after the first."""

    def kernel_of(name):
        kernel = weights[f"{name}/kernel"]
        return kernel / spectral_norm(kernel, weights[f"{name}/u"])[0] if sn else kernel

    def convolved(name, x, stride):
        padding = 1 if stride == 2 else (1, 2)
        kernel, bias = kernel_of(name), weights[f"{name}/bias"]
        return convolution(x, kernel, bias, stride=stride, padding=padding)

    for i in range(depth + 1):
        x = leaky_relu(convolved(f"convolutions/{i}", x, 2))
    x = leaky_relu(convolved("last", x, 1))
    if not cam:
        return convolved("to_logit", x, 1), None, None
    x, cam_logit = _cam_of(weights, x, kernel_of("cam"))
    x = leaky_relu(x)
    return convolved("to_logit", x, 1), cam_logit, x.sum(-1)


def discriminator(weights, x, *, n_dis, **options):
    """(local, global), three arrays each."""
    return tuple(
        patch_network(below(weights, f"{name}_network"), x, depth=max(0, n_dis - above), **options)
        for name, above in (("local", 4), ("global", 2))
    )


# Losses


def cross_entropy(logits, label):
    """-log sigmoid(x) = log(1 + exp(-x)) for label 1, of -x for label 0."""
    return np.logaddexp(0.0, -logits if label else logits).mean()


def _lsgan(real, fake):
    return ((real - 1) ** 2).mean() + (fake**2).mean()


def _gan(real, fake):
    return cross_entropy(real, 1) + cross_entropy(fake, 0)


def _hinge(real, fake):
    return relu(1 - real).mean() + relu(1 + fake).mean()


def _wasserstein(real, fake):
    return -real.mean() + fake.mean()


ADVERSARIAL = {  # gan_type -> (of the discriminator, of the generator)
    "lsgan": (_lsgan, lambda fake: ((fake - 1) ** 2).mean()),
    "gan": (_gan, lambda fake: cross_entropy(fake, 1)),
    "dragan": (_gan, lambda fake: cross_entropy(fake, 1)),
    "hinge": (_hinge, lambda fake: -fake.mean()),
    "wgan-gp": (_wasserstein, lambda fake: -fake.mean()),
    "wgan-lp": (_wasserstein, lambda fake: -fake.mean()),
}
PENALTY = {  # gan_type -> of the norms [batch]
    "wgan-gp": lambda norms: ((norms - 1) ** 2).mean(),
    "dragan": lambda norms: ((norms - 1) ** 2).mean(),
    "wgan-lp": lambda norms: (np.maximum(0.0, norms - 1) ** 2).mean(),
}


def l1(x, y):
    return np.abs(x - y).mean()


def cam_loss(source, non_source):
    return cross_entropy(source, 1) + cross_entropy(non_source, 0)


def l2(kernels):
    return sum((np.float64(kernel) ** 2).sum() / 2 for kernel in kernels)


def _translate(weights, config):
    return {
        name: lambda x, name=name: generator(
            below(weights, name),
            x,
            n_res=config.n_res,
            light=config.light,
            smoothing=config.smoothing,
            norm=config.decoder_norm,
            cam=config.generator_cam,
        )
        for name in ("a2b", "b2a")
    }


LOGITS = ("local", "local_cam", "global", "global_cam")


def logits(weights, name, x, config):
    """The patch and the CAM logits of the local, then of the global network."""
    options = {"n_dis": config.n_dis, "sn": config.sn, "cam": config.discriminator_cam}
    local, global_ = discriminator(below(weights, name), x, **options)
    named = zip(LOGITS, (*local[:2], *global_[:2]))
    return {term: value for term, value in named if value is not None}


def generator_losses(weights, real_a, real_b, config):
    """tag -> value, official and readable. The loss "G_A" is that of the generator that makes A."""
    run = _translate(weights, config)
    fake_b, cam_ab, _ = run["a2b"](real_a)
    fake_a, cam_ba, _ = run["b2a"](real_b)
    same_a, cam_aa, _ = run["b2a"](real_a)
    same_b, cam_bb, _ = run["a2b"](real_b)
    cycled_a, cycled_b = run["b2a"](fake_b)[0], run["a2b"](fake_a)[0]
    fool = ADVERSARIAL[config.gan_type][1]

    found = {
        "G_A_gan": sum(map(fool, logits(weights, "discriminator_a", fake_a, config).values())),
        "G_B_gan": sum(map(fool, logits(weights, "discriminator_b", fake_b, config).values())),
        "G_A_cycle": l1(cycled_b, real_b),
        "G_B_cycle": l1(cycled_a, real_a),
        "G_A_identity": l1(same_a, real_a),
        "G_B_identity": l1(same_b, real_b),
    }
    if config.generator_cam:
        found["G_A_cam"], found["G_B_cam"] = cam_loss(cam_ba, cam_aa), cam_loss(cam_ab, cam_bb)
    factors = {
        "gan": config.adv_weight,
        "cycle": config.cycle_weight,
        "identity": config.identity_weight,
        "cam": config.cam_weight,
    }
    readable = {
        f"{'b2a' if tag[2] == 'A' else 'a2b'}/{tag[4:].replace('gan', 'adversarial')}": value
        for tag, value in found.items()
    }
    found = {tag: factors[tag.split("_")[-1]] * value for tag, value in found.items()}
    found = {"G_A_cam": 0.0, "G_B_cam": 0.0, **found}
    for side in ("G_A", "G_B"):
        found[f"{side}_loss"] = sum(found[f"{side}_{part}"] for part in factors)
    kernels = [w for k, w in weights.items() if k[:3] in ("a2b", "b2a") and k.endswith("/kernel")]
    decay = 1e-4 * l2(kernels)
    found["Generator_loss"] = found["G_A_loss"] + found["G_B_loss"] + decay
    return {**found, **readable, "weight_decay/generators": decay}


def discriminator_losses(weights, real_a, real_b, config, *, alpha=0.5, eps=0.5):
    run = _translate(weights, config)
    judge = ADVERSARIAL[config.gan_type][0]
    sides = {
        "D_A_loss": ("discriminator_a", real_a, run["b2a"](real_b)[0]),
        "D_B_loss": ("discriminator_b", real_b, run["a2b"](real_a)[0]),
    }
    found = {}
    for tag, (name, real, fake) in sides.items():
        of_real, of_fake = (logits(weights, name, x, config) for x in (real, fake))
        values = {term: judge(of_real[term], of_fake[term]) for term in of_real}
        value = sum(values.values())
        found.update({f"{name}/{term}": part for term, part in values.items()})
        if config.gan_type in PENALTY:
            found[f"{name}/penalty"] = penalty(weights, name, real, fake, config, alpha, eps)
            value += config.GP_ld * found[f"{name}/penalty"]
        found[tag] = config.adv_weight * value
    kernels = [w for k, w in weights.items() if k.startswith("disc") and k.endswith("/kernel")]
    found["weight_decay/discriminators"] = decay = 1e-4 * l2(kernels)
    found["Discriminator_loss"] = found["D_A_loss"] + found["D_B_loss"] + decay
    return found


def penalty(weights, name, real, fake, config, alpha, eps):
    """The gradient penalty, its gradients by central differences, pixel by pixel."""
    if config.gan_type == "dragan":
        fake = real + 0.5 * real.std() * eps
    x = real + alpha * (fake - real)
    slopes = np.zeros([len(logits(weights, name, x, config)), *x.shape])
    step = 1e-5
    for index in np.ndindex(x.shape[1:]):
        moved = np.zeros(x.shape)
        moved[(slice(None), *index)] = step
        ups, downs = (logits(weights, name, x + sign * moved, config) for sign in (1, -1))
        for number, (up, down) in enumerate(zip(ups.values(), downs.values())):
            difference = (up - down).reshape(len(x), -1).sum(1) / (2 * step)
            slopes[(number, slice(None), *index)] = difference
    norms = np.sqrt((slopes**2).sum((2, 3, 4)))
    return sum(PENALTY[config.gan_type](row) for row in norms)


# Optimization


def adam(weight, gradients, rates, *, clipped=False):
    """The weight after one update for each gradient, in the "epsilon hat" form."""
    weight, m, v = np.float64(weight), 0.0, 0.0
    for t, (gradient, rate) in enumerate(zip(gradients, rates), 1):
        gradient = np.float64(gradient)
        m = 0.5 * m + 0.5 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        size = rate * np.sqrt(1 - 0.999**t) / (1 - 0.5**t)
        weight = weight - size * m / (np.sqrt(v) + 1e-8)
        if clipped:
            weight = np.clip(weight, 0.0, 1.0)
    return weight


def torch_adam(weight, gradients, rates, *, weight_decay=0.0):
    """The weight after one update for each gradient, as torch.optim.Adam computes it."""
    weight, m, v = np.float64(weight), 0.0, 0.0
    for t, (gradient, rate) in enumerate(zip(gradients, rates), 1):
        gradient = np.float64(gradient) + weight_decay * weight
        m = 0.5 * m + 0.5 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        m_hat, v_hat = m / (1 - 0.5**t), v / (1 - 0.999**t)
        weight = weight - rate * m_hat / (np.sqrt(v_hat) + 1e-8)
    return weight


def learning_rate(epoch, *, lr, num_epochs, decay_epoch):
    """The rate of a whole epoch, counted from 0."""
    return lr if epoch < decay_epoch else lr * (num_epochs - epoch) / (num_epochs - decay_epoch)


# Numerical differentiation


def numeric_gradient(function, x, step=1e-5):
    """Central differences of a scalar function of one array."""
    x = np.float64(x)
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (function(up) - function(down)) / (2 * step)
    return gradient


# The variables of the official program


def official_variables(*, ch, n_res, n_dis, img_ch=3, light=True, img_size=256, sn=True):
    """name -> shape, of all four networks."""
    found = {}
    for side in "AB":
        found.update(_official_generator(f"generator_{side}", ch, n_res, img_ch, light, img_size))
        for part, layers in (("local", n_dis - 3), ("global", n_dis - 1)):
            scope = f"discriminator_{side}/{part}"
            found.update(_official_patch_network(scope, ch, max(1, layers), img_ch, sn))
    return found


def _scoped(scope, **shapes):
    return {f"{scope}/{name}": shape for name, shape in shapes.items()}


def _official_generator(scope, ch, n_res, img_ch, light, img_size):
    wide = 4 * ch

    def conv(name, size, of, to):
        return _scoped(f"{scope}/{name}/conv2d", kernel=[size, size, of, to], bias=[to])

    def norm(name, channels, *names):
        return _scoped(f"{scope}/{name}", **{leaf: [channels] for leaf in names})

    def dense(name, of, to):
        return _scoped(f"{scope}/MLP/{name}/dense", kernel=[of, to], bias=[to])

    found = {**conv("conv", 7, img_ch, ch), **norm("ins_norm", ch, "gamma", "beta")}
    for i in range(2):
        found.update(conv(f"conv_{i}", 3, ch * 2**i, ch * 2 ** (i + 1)))
        found.update(norm(f"ins_norm_{i}", ch * 2 ** (i + 1), "gamma", "beta"))
    for i in range(n_res):
        for part in ("res1", "res2"):
            found.update(conv(f"resblock_{i}/{part}/conv_0", 3, wide, wide))
            found.update(norm(f"resblock_{i}/{part}/instance_norm", wide, "gamma", "beta"))
            found.update(conv(f"adaptive_resblock{i}/{part}/conv_0", 3, wide, wide))
            found.update(norm(f"adaptive_resblock{i}/{part}/instance_layer_norm", wide, "rho"))
    found.update(_scoped(f"{scope}/CAM_logit", kernel=[wide, 1], bias=[1]))
    found.update(conv("conv_1x1", 1, 2 * wide, wide))
    found.update(dense("linear_0", wide if light else (img_size // 4) ** 2 * wide, wide))
    for name in ("linear_1", "gamma", "beta"):
        found.update(dense(name, wide, wide))
    for i in range(2):
        found.update(conv(f"up_conv_{i}", 3, wide // 2**i, wide // 2 ** (i + 1)))
        found.update(norm(f"layer_ins_norm_{i}", wide // 2 ** (i + 1), "rho", "gamma", "beta"))
    return {**found, **conv("G_logit", 7, ch, img_ch)}


def _official_patch_network(scope, ch, num_layers, img_ch, sn):
    def conv(name, of, to):
        if sn:
            return _scoped(f"{scope}/{name}", kernel=[4, 4, of, to], bias=[to], u=[1, to])
        return _scoped(f"{scope}/{name}/conv2d", kernel=[4, 4, of, to], bias=[to])

    found, channels = {}, img_ch
    for i in range(num_layers):
        found.update(conv(f"conv_{i}", channels, ch * 2**i))
        channels = ch * 2**i
    found.update(conv("conv_last", channels, 2 * channels))
    channels *= 2
    state = {"u": [1, 1]} if sn else {}
    found.update(_scoped(f"{scope}/CAM_logit", kernel=[channels, 1], bias=[1], **state))
    mixer = {"kernel": [1, 1, 2 * channels, channels], "bias": [channels]}
    return {**found, **_scoped(f"{scope}/conv_1x1/conv2d", **mixer), **conv("D_logit", channels, 1)}


# The state_dicts of the official PyTorch program


def torch_state_dicts(*, ch, n_res, n_dis, img_ch=3, light=True, img_size=256, sn=True):
    """name of a network -> name -> shape, in torch's order of axes."""
    generator = _torch_generator(ch, n_res, img_ch, light, img_size)
    local, whole = (
        _torch_discriminator(ch, layers, img_ch, sn) for layers in (max(1, n_dis - 3), n_dis - 1)
    )
    networks = {"genA2B": generator, "genB2A": generator}
    return {**networks, "disGA": whole, "disGB": whole, "disLA": local, "disLB": local}


def _torch_generator(ch, n_res, img_ch, light, img_size):
    wide = 4 * ch
    found = {"DownBlock.1.weight": [ch, img_ch, 7, 7]}
    for i in range(2):
        found[f"DownBlock.{5 + 4 * i}.weight"] = [ch * 2 ** (i + 1), ch * 2**i, 3, 3]
    for i in range(n_res):
        for place in (1, 5):
            found[f"DownBlock.{12 + i}.conv_block.{place}.weight"] = [wide, wide, 3, 3]
        for part in (1, 2):
            found[f"UpBlock1_{i + 1}.conv{part}.weight"] = [wide, wide, 3, 3]
            found[f"UpBlock1_{i + 1}.norm{part}.rho"] = [1, wide, 1, 1]
    found.update({f"{head}.weight": [1, wide] for head in ("gap_fc", "gmp_fc")})
    found.update({"conv1x1.weight": [wide, 2 * wide, 1, 1], "conv1x1.bias": [wide]})
    found["FC.0.weight"] = [wide, wide if light else (img_size // 4) ** 2 * wide]
    found.update({f"{name}.weight": [wide, wide] for name in ("FC.2", "gamma", "beta")})
    for i in range(2):
        channels = wide // 2 ** (i + 1)
        found[f"UpBlock2.{5 * i + 2}.weight"] = [channels, 2 * channels, 3, 3]
        for leaf in ("rho", "gamma", "beta"):
            found[f"UpBlock2.{5 * i + 3}.{leaf}"] = [1, channels, 1, 1]
    return {**found, "UpBlock2.11.weight": [img_ch, ch, 7, 7]}


def _torch_discriminator(ch, num_halving, img_ch, sn):
    channels = [img_ch, *(ch * 2**i for i in range(num_halving + 1))]
    wide, found = channels[-1], {}
    kernels = {
        f"model.{3 * i + 1}": [b, a, 4, 4] for i, (a, b) in enumerate(zip(channels, channels[1:]))
    }
    found.update({f"{name}.bias": [shape[0]] for name, shape in kernels.items()})
    kernels.update({"gap_fc": [1, wide], "gmp_fc": [1, wide], "conv": [1, wide, 4, 4]})
    for name, shape in kernels.items():
        found[f"{name}.weight_orig" if sn else f"{name}.weight"] = shape
        if sn:
            found[f"{name}.weight_u"] = shape[:1]
            found[f"{name}.weight_v"] = [int(np.prod(shape[1:]))]
    return {**found, "conv1x1.weight": [wide, 2 * wide, 1, 1], "conv1x1.bias": [wide]}
