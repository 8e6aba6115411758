using static TorchSharp.torch;

namespace TorchSharp.Modules
{
    /// <summary>σ(x) = 1 / (1 + e⁻ˣ), element by element.</summary>
    public sealed class Sigmoid : ParameterLessModule<Tensor, Tensor>
    {
        internal Sigmoid(bool inplace) : base(nameof(Sigmoid)) => this.inplace = inplace;

        public bool inplace { get; set; }

        public override Tensor forward(Tensor tensor) => inplace ? Ops.sigmoid_.CallInPlace(tensor).alias() : Ops.sigmoid.Call(tensor);
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class nn
        {
            public static Modules.Sigmoid Sigmoid() => new(false);
            public static Modules.Sigmoid Sigmoid(bool inplace) => new(inplace);
        }
    }
}
