namespace PostTrain.Operators;

/// <summary>Sizes of an attention and what it does with the scores.</summary>
/// <param name="Batch">B.</param>
/// <param name="Length">T, of queries and keys.</param>
/// <param name="Heads">H.</param>
/// <param name="KeyValueHeads">H_kv, a divisor of H.</param>
/// <param name="HeadSize">Dh.</param>
/// <param name="Turned">Elements of a head that the rotary embedding turns, an even number; 0 for none.</param>
/// <param name="Angles">Rows of angles: B or 1.</param>
/// <param name="Scale">Factor of the scores.</param>
/// <param name="SoftCap">Scores s become c·tanh(s/c); 0 for none.</param>
/// <param name="Joint">Queries, keys and values are parts of one tensor, [B,T,(H + 2 H_kv)·Dh].</param>
internal sealed record AttentionShape(
    int Batch,
    int Length,
    int Heads,
    int KeyValueHeads,
    int HeadSize,
    int Turned,
    int Angles,
    double Scale,
    double SoftCap,
    bool Joint
)
{
    /// <summary>Queries of a block: rows of one small product.</summary>
    internal const int QueryBlock = 16;

    /// <summary>Keys of a block.</summary>
    internal const int KeyBlock = 128;

    // Keys are padded to a multiple of this.
    private const int KeyStep = 16;

    /// <summary>Query heads that share keys and values.</summary>
    internal int Group => Heads / KeyValueHeads;

    /// <summary>Dh, padded to whole vectors.</summary>
    /// <param name="vector">Numbers of a vector.</param>
    internal int PaddedSize(int vector) => (HeadSize + vector - 1) / vector * vector;

    /// <summary>Keys, padded.</summary>
    internal int PaddedLength => PaddedKeys(Length);

    /// <summary>Least multiple of the step that holds so many keys.</summary>
    internal static int PaddedKeys(int count) => (count + KeyStep - 1) / KeyStep * KeyStep;
}
