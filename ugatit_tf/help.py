"""What `--help` says of each option."""

from ugatit_tf.config import DECODER_NORMS, GAN_TYPES, INCEPTIONS, PRESETS, RESIZES, STRATEGIES
from ugatit_tf.request import DIRECTIONS, FITS, FORMATS, HEATMAPS

WITH_CHECKPOINT = ("test", "translate", "evaluate", "export")

HELP = {
    "dataset": "name of the folder below --dataset_dir with trainA, trainB, testA and testB; "
    "'demo' is drawn by the program",
    "run": "name of the run's folders, if not that of the dataset",
    "seed": "of everything random",
    "light": "the light model: any image size, a fifth of the weights",
    "img_size": "side of the training image in pixels, a multiple of 4",
    "img_ch": "1 for grey, 3 for RGB",
    "ch": "channels of the first layer",
    "n_res": "residual blocks",
    "n_dis": "depth of the global discriminator",
    "sn": "spectral normalization",
    "smoothing": "AdaLIN never is instance normalization alone",
    "decoder_norm": "normalization in the decoder, one of "
    + ", ".join(DECODER_NORMS)
    + "; all but adalin repeat the paper's ablation",
    "generator_cam": "attention and CAM loss of the generators",
    "discriminator_cam": "attention and CAM loss of the discriminators",
    "epoch": "epochs; each is --iteration steps",
    "iteration": "steps of one epoch",
    "batch_size": "images of each domain in one step, on each device",
    "lr": "learning rate",
    "decay_flag": "let the learning rate fall to 0 from --decay_epoch on",
    "decay_epoch": "the epoch from which the learning rate falls",
    "n_critic": "discriminator updates for each generator update",
    "augment_flag": "flip, enlarge, crop",
    "cache": "where images are kept once they are decoded: none, memory or disk",
    "precision": "type of the networks' maps: float32, bfloat16 or float16; weights, statistics, "
    "losses and the optimizer stay float32",
    "recompute": "compute maps again for gradients: less memory, more time",
    "accumulate": "batches whose gradients are averaged for one update",
    "strategy": "devices that work together: one of "
    + ", ".join(STRATEGIES)
    + "; auto is all GPUs "
    "of this machine, or the machines of TF_CONFIG where it is set",
    "xla": "compile the networks with XLA",
    "ema": "decay of a moving average of the generators, e.g. 0.999, which all but training use",
    "gan_type": "one of " + ", ".join(GAN_TYPES),
    "GP_ld": "weight of the gradient penalty (wgan-gp, wgan-lp, dragan)",
    "adv_weight": "weight of the adversarial loss",
    "cycle_weight": "weight of the cycle loss",
    "identity_weight": "weight of the identity loss",
    "cam_weight": "weight of the class activation loss",
    "print_freq": "steps between sample images",
    "save_freq": "steps between checkpoints",
    "summary_freq": "steps between TensorBoard summaries",
    "eval_freq": "steps between measurements of KID on test images; 0 measures never",
    "inception": "the network for KID and FID: one of " + ", ".join(INCEPTIONS) + "; graph is the "
    "papers' of 2015, random rehearses without weights",
    "inception_weights": "its weights in a local file: .h5 for keras, .pb for graph",
    "inception_resize": "one of " + ", ".join(RESIZES) + "; bilinear is TensorFlow 1's",
    "best_by": "keep in best/ the checkpoint where this number of history.jsonl is smallest, "
    "e.g. a2b/cycle; with --eval_freq it is eval/kid where not given",
    "dataset_dir": "folder of the datasets",
    "checkpoint_dir": "folder of the runs with their checkpoints",
    "result_dir": "folder of the test results",
    "log_dir": "folder of the TensorBoard logs",
    "sample_dir": "folder of the sample images",
    "export_dir": "folder of the exported models",
}


TRANSLATE_HELP = {  # the options of --phase translate
    "input": "an image, a folder, a pattern in quotes (e.g. 'in/*.jpg'), or a video",
    "output": "a folder or, for one image or video, a file; its suffix says the format",
    "model": "an exported folder or a generator file, instead of the run of --dataset or --run",
    "direction": "one of " + ", ".join(DIRECTIONS) + "; without it a2b, or the model's only one",
    "recursive": "the folders in the input folder too",
    "overwrite": "replace results that exist",
    "resume_output": "leave results that exist, and make those that are missing",
    "shard": "I/N, e.g. 2/4: translate only each N-th image, from the I-th on; N machines, each "
    "with its own I, share a folder",
    "fit": "one of " + ", ".join(FITS) + "; keep: the image's own shape (light models); "
    "stretch: the official square; crop: the square in the middle; pad: a square with reflected "
    "borders; auto: keep if the model can, else stretch",
    "size": "side in pixels that the networks work with, of keep the shorter one; 0: the training "
    "size, to which keep only scales down what is more than 1.25 times as large; native: with "
    "keep, the image's own, which suits textures",
    "max_side": "with keep: a longer side is scaled down to this for the networks; 0: never",
    "restore_size": "give results the size of their source",
    "tile_pixels": "with keep: images with more pixels are translated in overlapping tiles",
    "max_pixels": "images with more pixels are refused before they are decoded",
    "face": "find the face, translate it as a selfie, put it back (requirements-face.txt)",
    "format": "of the results: one of " + ", ".join(FORMATS),
    "quality": "of JPEG and WebP, 1 to 100",
    "heatmap": "where the networks looked: one of " + ", ".join(HEATMAPS) + "; overlay: beside the "
    "result as NAME_attention.png; side: input, result and attention in one image; raw: 16-bit "
    "PNG; npy: NumPy",
    "report": "write report.html and contact_sheet.png into the output folder",
    "smooth": "of a video: part of the last image in the next, against flicker, e.g. 0.3",
}
EVALUATE_HELP = {  # the options of --phase evaluate
    "fake_dir": "folder with a2b and b2a, or one of them, of translated test images, from any "
    "program; without it the run translates",
    "votes": "answers of a study, a file or a pattern in quotes: says what people preferred, and "
    "needs no run",
}
STUDY_HELP = {  # the options of --phase study
    "sources": "folder of the images that were translated",
    "methods": "NAME=FOLDER,NAME=FOLDER: the results of each method, under the sources' names",
    "page": "the page that is written",
    "question": "what people are asked",
}
PACK_HELP = {  # the options of --phase pack
    "pack_to": "name of the packed dataset below --dataset_dir; without it NAME_packed",
    "shards": "TFRecord files of each part; 0: as many as --shard_mb needs",
    "shard_mb": "megabytes of each, about",
}
MORE = {  # not options of a run
    "--official_checkpoint": "for --phase import: the official checkpoint folder, or the PREFIX of "
    "one checkpoint in it",
    "--config": "a JSON file of options, e.g. another run's config.json, without names and "
    "folders; the command line wins",
    "--preset": "loss weights for a kind of task: " + " or ".join(PRESETS),
    "--which": "for " + ", ".join(WITH_CHECKPOINT) + ": the latest checkpoint (default), or the "
    "best (see --best_by)",
    "--dry_run": "True prints the options that a run would have, and stops",
}
