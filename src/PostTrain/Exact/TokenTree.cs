using PostTrain.Numerics;

namespace PostTrain.Exact;

/// <summary>All sequences of <see cref="Depth"/> tokens from <see cref="Vocabulary"/>, few enough to enumerate. A bandit is a tree of depth
/// 1.</summary>
/// <remarks>
/// A policy on the tree is a tensor of logits [<see cref="Nodes"/>, <see cref="Vocabulary"/>]: one distribution for each prefix of 0 to
/// Depth − 1 tokens. Nodes are ordered by length, then by their tokens read as a number in base V. Sequences have the same order; rewards
/// have shape [<see cref="Sequences"/>].
/// </remarks>
public sealed record TokenTree
{
    /// <summary>Maximum number of sequences of a tree.</summary>
    public const int Limit = 4096;

    /// <param name="vocabulary">V, at least 1.</param>
    /// <param name="depth">D, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is below 1, or there are more than <see cref="Limit"/> sequences.</exception>
    public TokenTree(int vocabulary, int depth)
    {
        Guard.AtLeast(vocabulary, 1, nameof(vocabulary));
        Guard.AtLeast(depth, 1, nameof(depth));
        (Vocabulary, Depth) = (vocabulary, depth);
        long width = 1,
            nodes = 0;
        for (int level = 0; level < depth; level++)
        {
            nodes += width;
            width *= vocabulary;
            if (width > Limit || nodes > Limit)
                throw new ArgumentOutOfRangeException(
                    nameof(depth),
                    depth,
                    $"a vocabulary of {vocabulary} with this depth has more than {Limit} sequences or prefixes"
                );
        }
        (Nodes, Sequences) = ((int)nodes, (int)width);
    }

    /// <summary>V, the number of tokens in the vocabulary.</summary>
    public int Vocabulary { get; }

    /// <summary>D, the number of tokens in a sequence.</summary>
    public int Depth { get; }

    /// <summary>Number of prefixes, 1 + V + ... + V^{D−1}.</summary>
    public int Nodes { get; }

    /// <summary>Number of sequences, V^D.</summary>
    public int Sequences { get; }

    /// <summary>Returns the tokens of a sequence.</summary>
    /// <param name="index">0 to <see cref="Sequences"/> − 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The index is out of range.</exception>
    public int[] Tokens(int index)
    {
        if (index < 0 || index >= Sequences)
            throw new ArgumentOutOfRangeException(nameof(index), index, $"index must be between 0 and {Sequences - 1}");
        var tokens = new int[Depth];
        for (int t = Depth - 1; t >= 0; t--)
            (index, tokens[t]) = Math.DivRem(index, Vocabulary);
        return tokens;
    }

    /// <summary>Returns the first node and the number of nodes of each level.</summary>
    internal IEnumerable<(long Start, long Count)> Levels()
    {
        long start = 0,
            count = 1;
        for (int level = 0; level < Depth; level++)
        {
            yield return (start, count);
            start += count;
            count *= Vocabulary;
        }
    }
}
