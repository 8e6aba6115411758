using TorchSharp.Utils;
using static TorchSharp.torch;

namespace TorchSharp.Modules
{
    /// <summary>(x - mean) / √(variance + ε) over the last dimensions, times a weight, plus a bias.</summary>
    public sealed class LayerNorm : nn.Module<Tensor, Tensor>
    {
        [ComponentName(Name = nameof(weight))] private Parameter? scale;
        [ComponentName(Name = nameof(bias))] private Parameter? shift;

        internal LayerNorm(long[] normalized_shape, double eps, bool elementwise_affine, bool bias, Device? device, ScalarType? dtype) : base(nameof(LayerNorm))
        {
            this.normalized_shape = normalized_shape;
            this.eps = eps;
            this.elementwise_affine = elementwise_affine;
            if (elementwise_affine)
            {
                scale = NewParameter(normalized_shape, device, dtype);
                if (bias) shift = NewParameter(normalized_shape, device, dtype);
            }
            reset_parameters();
            RegisterComponents();
        }

        public long[] normalized_shape { get; set; }
        public double eps { get; set; }
        public bool elementwise_affine { get; set; }

        public Parameter weight
        {
            get => scale!;
            set => ConditionallyRegisterParameter(nameof(weight), scale = value);
        }

        public Parameter? bias
        {
            get => shift;
            set => ConditionallyRegisterParameter(nameof(bias), shift = value);
        }

        public void reset_parameters()
        {
            if (scale is not null) nn.init.ones_(scale);
            if (shift is not null) nn.init.zeros_(shift);
        }

        public override Tensor forward(Tensor tensor) => Ops.layer_norm.Call(tensor, normalized_shape, scale, shift, eps);
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class nn
        {
            public static Modules.LayerNorm LayerNorm(long normalized_shape, double eps = 1e-05, bool elementwise_affine = true, bool bias = true, Device? device = null, ScalarType? dtype = null) =>
                new([normalized_shape], eps, elementwise_affine, bias, device, dtype);

            public static Modules.LayerNorm LayerNorm(long[] normalized_shape, double eps = 1e-05, bool elementwise_affine = true, bool bias = true, Device? device = null, ScalarType? dtype = null) =>
                new(normalized_shape, eps, elementwise_affine, bias, device, dtype);
        }
    }
}
