using TorchSharp.Utils;
using static TorchSharp.torch;

namespace TorchSharp.Modules
{
    /// <summary>y = x Wᵀ + b, W of shape [out, in].</summary>
    public sealed class Linear : nn.Module<Tensor, Tensor>
    {
        [ComponentName(Name = nameof(weight))] private Parameter matrix;
        [ComponentName(Name = nameof(bias))] private Parameter? offset;

        internal Linear(Parameter weight, Parameter? bias) : base(nameof(Linear))
        {
            var shape = weight.shape;
            if (shape.Length != 2) throw new ArgumentException($"weight: given {shape.Length} dimensions, expected 2, [out, in]", nameof(weight));
            (out_features, in_features) = (shape[0], shape[1]);
            matrix = weight;
            offset = bias;
            RegisterComponents();
        }

        // PyTorch's start, U(-1/√in, 1/√in) for both (kaiming_uniform with a = √5), drawn in PyTorch's order.
        internal Linear(long inputSize, long outputSize, bool hasBias, Device? device, ScalarType? dtype)
            : this(NewParameter([outputSize, inputSize], device, dtype), hasBias ? NewParameter([outputSize], device, dtype) : null)
        {
            double bound = inputSize > 0 ? 1 / Math.Sqrt(inputSize) : 0;
            nn.init.uniform_(matrix, -bound, bound);
            if (offset is not null) nn.init.uniform_(offset, -bound, bound);
        }

        public long in_features { get; set; }
        public long out_features { get; set; }

        public Parameter weight
        {
            get => matrix;
            set => ConditionallyRegisterParameter(nameof(weight), matrix = value);
        }

        public Parameter? bias
        {
            get => offset;
            set => ConditionallyRegisterParameter(nameof(bias), offset = value);
        }

        public override Tensor forward(Tensor tensor) => Ops.linear.Call(tensor, matrix, offset);
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class nn
        {
            public static Modules.Linear Linear(long inputSize, long outputSize, bool hasBias = true, Device? device = null, ScalarType? dtype = null) =>
                new(inputSize, outputSize, hasBias, device, dtype);

            /// <summary>A linear layer on parameters that exist already.</summary>
            public static Modules.Linear Linear(Modules.Parameter weight, Modules.Parameter? bias = null) => new(weight, bias);
        }
    }
}
