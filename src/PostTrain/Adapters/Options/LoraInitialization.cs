using PostTrain.Numerics;
using static TorchSharp.torch;

namespace PostTrain.Adapters;

/// <summary>The initialisation of LoRA's A and B.</summary>
/// <remarks>PiSSA and OLoRA start B·A at a part of W, and W without that part is what stays fixed. Here the base keeps its bytes:
/// the adapter remembers its start A₀, B₀ and adds s(BA − B₀A₀)x, which is the same function of x and is exactly 0 at the start.</remarks>
public sealed record LoraInitialization
{
    private LoraInitialization(string name) => Name = name;

    /// <summary>A ~ U(±1/√in), B = 0 (Kaiming's bound with a = √5); of embeddings A = 0, B ~ N(0, 1).</summary>
    public static LoraInitialization Default { get; } = new("true");

    /// <summary>Both A and B random, U(±1/√fan-in): the adapter changes the model from the start.</summary>
    public static LoraInitialization Random { get; } = new("false");

    /// <summary>A ~ N(0, 1/r²), B = 0.</summary>
    public static LoraInitialization Gaussian { get; } = new("gaussian");

    /// <summary>A and B random with B·A = 0: from the odd and the even rows of one orthogonal matrix; r must be even.</summary>
    public static LoraInitialization Orthogonal { get; } = new("orthogonal");

    /// <summary>PiSSA (Meng et al. 2024, arXiv:2404.02948): B₀A₀ is W's best approximation of rank r, by a full singular value
    /// decomposition.</summary>
    public static LoraInitialization Pissa { get; } = new("pissa");

    /// <summary>OLoRA (Büyükakyüz 2024, arXiv:2406.01775): B₀ = Q[:, :r], A₀ = R[:r] of W = QR.</summary>
    public static LoraInitialization Olora { get; } = new("olora");

    /// <summary>Given factors, one pair a layer: the start of a method of your own, and of LoftQ
    /// (<see cref="Compression.Quantization.Loftq"/>).</summary>
    /// <param name="factors">A [r,in] and B [out,r] by the layer's name, as they stand in the adapter: the start changes the weight by
    /// s·BA. They are copied when an adapter is attached and stay the caller's.</param>
    /// <remarks>A saved adapter says PEFT's default start: its own numbers replace any start.</remarks>
    public static LoraInitialization Given(IReadOnlyDictionary<string, (Tensor A, Tensor B)> factors)
    {
        ArgumentNullException.ThrowIfNull(factors);
        return new LoraInitialization("true") { Factors = factors };
    }

    /// <summary>PEFT's name.</summary>
    public string Name { get; }

    /// <summary>Power iterations of the randomised decomposition; 0 for a full one.</summary>
    internal int Iterations { get; private init; }

    /// <summary>The given factors, or null.</summary>
    internal IReadOnlyDictionary<string, (Tensor A, Tensor B)>? Factors { get; private init; }

    /// <summary>True if the fixed weight is the base weight minus s·B₀A₀.</summary>
    internal bool ShiftsBase => this == Olora || Name.StartsWith("pissa", StringComparison.Ordinal);

    /// <summary>PiSSA by a randomised decomposition (Halko et al. 2011, algorithm 4.4), cheaper where W is large.</summary>
    /// <param name="iterations">Power iterations, 1 to 1000; 16 is usual.</param>
    public static LoraInitialization FastPissa(int iterations)
    {
        Guard.AtLeast(iterations, 1, nameof(iterations));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(iterations, 1000);
        return new LoraInitialization($"pissa_niter_{iterations}") { Iterations = iterations };
    }
}
