namespace PostTrain.Models.Gguf;

/// <summary>Sizes of the blocks of each type.</summary>
internal static class GgufBlocks
{
    private static readonly Dictionary<GgufType, (int Elements, int Bytes)> Sizes = new()
    {
        [GgufType.F32] = (1, 4),
        [GgufType.F16] = (1, 2),
        [GgufType.BF16] = (1, 2),
        [GgufType.Q4_0] = (32, 18),
        [GgufType.Q4_1] = (32, 20),
        [GgufType.Q5_0] = (32, 22),
        [GgufType.Q5_1] = (32, 24),
        [GgufType.Q8_0] = (32, 34),
        [GgufType.Q2_K] = (256, 84),
        [GgufType.Q3_K] = (256, 110),
        [GgufType.Q4_K] = (256, 144),
        [GgufType.Q5_K] = (256, 176),
        [GgufType.Q6_K] = (256, 210),
        [GgufType.IQ4_NL] = (32, 18),
        [GgufType.IQ4_XS] = (256, 136),
    };

    /// <summary>The names known, for error messages.</summary>
    internal static string Known { get; } = string.Join(", ", Sizes.Keys);

    internal static bool Knows(GgufType type) => Sizes.ContainsKey(type);

    /// <summary>Elements of a block.</summary>
    internal static int Elements(GgufType type) => Sizes[type].Elements;

    /// <summary>Bytes of a block.</summary>
    internal static int Bytes(GgufType type) => Sizes[type].Bytes;

    /// <summary>Bytes of this many elements, a multiple of a block's.</summary>
    internal static long BytesOf(GgufType type, long elements) => elements / Elements(type) * Bytes(type);
}
