namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public static partial class functional
        {
            public static Tensor softmax(Tensor input, long dim, ScalarType? dtype = null) => Ops.softmax_int.Call(input, dim, dtype);
            public static Tensor log_softmax(Tensor x, long dim) => Ops.log_softmax_int.Call(x, dim);
            public static Tensor relu(Tensor x, bool inplace = false) => inplace ? Ops.relu_.CallInPlace(x).alias() : Ops.relu.Call(x);

            /// <summary>x Φ(x) by the exact normal distribution; the tanh approximation is not part of the common API.</summary>
            public static Tensor gelu(Tensor x) => Ops.gelu.Call(x);

            public static Tensor gelu(Tensor x, bool inplace) => inplace ? Ops.gelu_.CallInPlace(x).alias() : Ops.gelu.Call(x);
            public static Tensor silu(Tensor x, bool inplace = false) => inplace ? Ops.silu_.CallInPlace(x).alias() : Ops.silu.Call(x);
            public static Tensor tanh(Tensor x, bool inplace = false) => inplace ? Ops.tanh_.CallInPlace(x).alias() : Ops.tanh.Call(x);
            public static Tensor sigmoid(Tensor x) => Ops.sigmoid.Call(x);
            public static Tensor sigmoid(Tensor x, bool inplace) => inplace ? Ops.sigmoid_.CallInPlace(x).alias() : Ops.sigmoid.Call(x);

            /// <summary>log(1 + exp(β x)) / β, and x itself where β x is over the threshold.</summary>
            public static Tensor softplus(Tensor x, double beta = 1.0, double threshold = 20.0) => Ops.softplus.Call(x, beta, threshold);

            public static Tensor logsigmoid(Tensor x) => Ops.log_sigmoid.Call(x);
        }
    }
}
