"""How far a result may be from its witness: one place, so that nobody loosens one in passing."""

TOLERANCE = {
    "float32": {"rtol": 1e-5, "atol": 1e-5},  # one layer or loss, numbers of order 1
    "network": {"rtol": 1e-4, "atol": 1e-4},  # a whole network in float32
    "gradient": {"rtol": 1e-4, "atol": 1e-4},  # against central differences in float64
    "objective": {"rtol": 1e-4},  # a loss through several networks
    "slope": {"rtol": 5e-4},  # a derivative of such a loss along one direction
    "update": {"rtol": 1e-5, "atol": 1e-7},  # weights after a step of 1e-4 to 1e-2
    "addons": {"rtol": 1e-5, "atol": 1e-5},
}
