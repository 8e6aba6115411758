using PostTrain.Numerics;

namespace PostTrain.Data.Curation;

/// <summary>Signatures of texts whose agreement estimates the Jaccard similarity of their shingles.</summary>
/// <remarks>Broder 1997, "On the resemblance and containment of documents": of k random orders of all shingles, the share in which two sets
/// have the same first one is an unbiased estimate of |A ∩ B| / |A ∪ B| with the variance J(1 − J)/k. Tokens are runs of letters and digits
/// in lower case, and every other character that is no white space by itself, so that formulas count.</remarks>
public static class MinHash
{
    /// <summary>Computes the signature of a text, k numbers.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="options">Hashes, shingles and seed; the defaults when null.</param>
    public static ulong[] Signature(string text, MinHashOptions? options = null)
    {
        options ??= new MinHashOptions();
        options.Check();
        return Signature(Shingles(text, options.ShingleSize), options);
    }

    /// <summary>Estimates the Jaccard similarity: the share of equal numbers.</summary>
    /// <exception cref="ArgumentException">The signatures differ in length or are empty.</exception>
    public static double Similarity(IReadOnlyList<ulong> left, IReadOnlyList<ulong> right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        if (left.Count != right.Count || left.Count == 0)
            throw new ArgumentException(
                $"right has {right.Count} numbers and left {left.Count}, expected as many and at least one",
                nameof(right)
            );
        return left.Zip(right).Count(pair => pair.First == pair.Second) / (double)left.Count;
    }

    /// <summary>Computes the Jaccard similarity of two texts' shingles; 1 for two texts without tokens.</summary>
    /// <param name="left">A text.</param>
    /// <param name="right">Another.</param>
    /// <param name="shingleSize">Tokens of a shingle, at least 1.</param>
    public static double Jaccard(string left, string right, int shingleSize = 3) =>
        Jaccard(Shingles(left, shingleSize), Shingles(right, shingleSize));

    internal static ulong[] Signature(HashSet<ulong> shingles, MinHashOptions options)
    {
        var signature = new ulong[options.Hashes];
        Array.Fill(signature, ulong.MaxValue);
        foreach (ulong shingle in shingles)
            for (int i = 0; i < signature.Length; i++)
                signature[i] = Math.Min(signature[i], CounterRandom.Bits(options.Seed, shingle, (ulong)i));
        return signature;
    }

    internal static double Jaccard(HashSet<ulong> left, HashSet<ulong> right)
    {
        if (left.Count == 0 && right.Count == 0)
            return 1;
        int common = left.Count <= right.Count ? left.Count(right.Contains) : right.Count(left.Contains);
        return common / (double)(left.Count + right.Count - common);
    }

    /// <summary>Returns the shingles' hashes, the same in every process.</summary>
    internal static HashSet<ulong> Shingles(string text, int size)
    {
        ArgumentNullException.ThrowIfNull(text);
        Guard.AtLeast(size, 1, nameof(size));
        ulong[] tokens = [.. Tokens(text)];
        var shingles = new HashSet<ulong>();
        if (tokens.Length == 0)
            return shingles;
        int width = Math.Min(size, tokens.Length);
        for (int start = 0; start + width <= tokens.Length; start++)
        {
            ulong hash = 0;
            foreach (ulong token in tokens.AsSpan(start, width))
                hash = CounterRandom.Bits(hash, token);
            shingles.Add(hash);
        }
        return shingles;
    }

    // FNV-1a of each token's characters.
    private static IEnumerable<ulong> Tokens(string text)
    {
        const ulong offset = 14695981039346656037,
            prime = 1099511628211;
        ulong hash = offset;
        bool open = false;
        foreach (char character in text)
        {
            bool isWord = char.IsLetterOrDigit(character);
            if (isWord)
            {
                hash = unchecked((hash ^ char.ToLowerInvariant(character)) * prime);
                open = true;
                continue;
            }
            if (open)
                yield return hash;
            (hash, open) = (offset, false);
            if (!char.IsWhiteSpace(character))
                yield return unchecked((offset ^ character) * prime);
        }
        if (open)
            yield return hash;
    }
}
