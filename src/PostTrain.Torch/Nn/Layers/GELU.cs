using static TorchSharp.torch;

namespace TorchSharp.Modules
{
    /// <summary>x Φ(x), by the exact normal distribution, element by element.</summary>
    public sealed class GELU : ParameterLessModule<Tensor, Tensor>
    {
        internal GELU(bool inplace) : base(nameof(GELU)) => this.inplace = inplace;

        public bool inplace { get; set; }

        public override Tensor forward(Tensor tensor) => inplace ? Ops.gelu_.CallInPlace(tensor).alias() : Ops.gelu.Call(tensor);
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class nn
        {
            public static Modules.GELU GELU() => new(false);
            public static Modules.GELU GELU(bool inplace) => new(inplace);
        }
    }
}
