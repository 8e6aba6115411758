namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public Tensor relu() => Ops.relu.Call(this);
        public Tensor relu_() => Ops.relu_.CallInPlace(this);
        public Tensor relu6() => Ops.relu6.Call(this);
        public Tensor relu6_() => Ops.relu6_.CallInPlace(this);
        public Tensor elu(double alpha = 1) => Ops.elu.Call(this, alpha);
        public Tensor elu(Scalar alpha, Scalar scale, Scalar input_scale) => Ops.elu.Call(this, alpha, scale, input_scale);
        public Tensor elu_(double alpha = 1) => Ops.elu_.CallInPlace(this, alpha);
        public Tensor elu_(Scalar alpha, Scalar scale, Scalar input_scale) => Ops.elu_.CallInPlace(this, alpha, scale, input_scale);
        public Tensor selu() => Ops.selu.Call(this);
        public Tensor selu_() => Ops.selu_.CallInPlace(this);
        public Tensor celu() => Ops.celu.Call(this);
        public Tensor celu(Scalar alpha) => Ops.celu.Call(this, alpha);
        public Tensor celu_() => Ops.celu_.CallInPlace(this);
        public Tensor celu_(Scalar alpha) => Ops.celu_.CallInPlace(this, alpha);
        public Tensor gelu() => Ops.gelu.Call(this);
        public Tensor gelu_() => Ops.gelu_.CallInPlace(this);
        public Tensor glu(long dim = -1) => Ops.glu.Call(this, dim);
        public Tensor silu() => Ops.silu.Call(this);
        public Tensor silu_() => Ops.silu_.CallInPlace(this);
        public Tensor hardsigmoid() => Ops.hardsigmoid.Call(this);
        public Tensor hardsigmoid_() => Ops.hardsigmoid_.CallInPlace(this);
        public Tensor hardswish() => Ops.hardswish.Call(this);
        public Tensor hardswish_() => Ops.hardswish_.CallInPlace(this);
        public Tensor hardtanh(Scalar min, Scalar max) => Ops.hardtanh.Call(this, min, max);
        public Tensor hardtanh_(Scalar min, Scalar max) => Ops.hardtanh_.CallInPlace(this, min, max);
        public Tensor leaky_relu(Scalar negative_slope) => Ops.leaky_relu.Call(this, negative_slope);
        public Tensor leaky_relu_(Scalar negative_slope) => Ops.leaky_relu_.CallInPlace(this, negative_slope);
        public Tensor log_sigmoid() => Ops.log_sigmoid.Call(this);
        public Tensor prelu(Tensor target) => Ops.prelu.Call(this, target);
        public Tensor rrelu(double lower = 0.125, double upper = 1.0 / 3) => Ops.rrelu.Call(this, lower, upper);
        public Tensor rrelu_(double lower = 0.125, double upper = 1.0 / 3) => Ops.rrelu_.CallInPlace(this, lower, upper);
        public Tensor softplus(double beta = 1, double threshold = 20) => Ops.softplus.Call(this, beta, threshold);
        public Tensor threshold(Scalar threshold, Scalar value) => Ops.threshold.Call(this, threshold, value);
        public Tensor threshold_(Scalar threshold, Scalar value) => Ops.threshold_.CallInPlace(this, threshold, value);
    }
}
