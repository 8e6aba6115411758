using PostTrain.Numerics;

namespace PostTrain.Data.Curation;

/// <summary>How varied texts are: the distinct n-grams of their words, of all of them (Li et al. 2016, arXiv:1510.03055,
/// "distinct-n").</summary>
/// <remarks>The share falls as more is said with the same words, so compare it between collections of one size; the number of distinct
/// n-grams never falls.</remarks>
internal sealed class DistinctNgrams
{
    private readonly Dictionary<string, int> words = new(StringComparer.Ordinal);
    private readonly Dictionary<(int Beginning, int Word), int> grams = [];
    private readonly HashSet<int> distinct = [];

    /// <param name="size">n, at least 1.</param>
    public DistinctNgrams(int size)
    {
        Guard.AtLeast(size, 1, nameof(size));
        Size = size;
    }

    /// <summary>n.</summary>
    public int Size { get; }

    /// <summary>N-grams in all texts.</summary>
    public long Total { get; private set; }

    /// <summary>Different ones among them.</summary>
    public int Distinct => distinct.Count;

    /// <summary>Distinct / total, 0 to 1; 0 before the first.</summary>
    public double Share => Total == 0 ? 0 : Distinct / (double)Total;

    /// <summary>Counts the n-grams of a text, by words as <see cref="RougeL.Words"/> splits them; none goes over the text's ends.</summary>
    /// <param name="text">Any text.</param>
    public void Add(string text)
    {
        int[] numbers = [.. RougeL.Words(text).Select(Number)];
        for (int start = 0; start + Size <= numbers.Length; start++)
        {
            // An n-gram is the number of the pair (its beginning, its last word): exact, without building texts.
            int gram = -1;
            foreach (int word in numbers.AsSpan(start, Size))
            {
                if (!grams.TryGetValue((gram, word), out int longer))
                    grams[(gram, word)] = longer = grams.Count;
                gram = longer;
            }
            distinct.Add(gram);
            Total++;
        }
    }

    private int Number(string word)
    {
        if (!words.TryGetValue(word, out int number))
            words[word] = number = words.Count;
        return number;
    }
}
