using PostTrain.Numerics;

namespace PostTrain.Data.Curation;

/// <summary>The n-grams of words of a benchmark's texts, to find training data that hold a part of them.</summary>
/// <remarks>As for GPT-3 (Brown et al. 2020, arXiv:2005.14165, appendix C) with n = 13, or 8 as in later reports. Words are runs of letters
/// and digits in lower case; other characters do not count. A text of fewer than n words counts as a whole if it has enough of them;
/// otherwise it cannot be told from chance and is counted in <see cref="Ignored"/>.</remarks>
public sealed class NgramIndex
{
    private readonly Dictionary<string, int> ngrams = new(StringComparer.Ordinal);
    private readonly SortedSet<int> sizes = [];

    /// <summary>Reads the texts.</summary>
    /// <param name="texts">The benchmark's texts.</param>
    /// <param name="size">n, at least 1; 13 by default.</param>
    /// <param name="shortest">Fewest words of a text that counts as a whole, at least 1; 8 by default.</param>
    public NgramIndex(IEnumerable<string> texts, int size = 13, int shortest = 8)
    {
        ArgumentNullException.ThrowIfNull(texts);
        Guard.AtLeast(size, 1, nameof(size));
        Guard.AtLeast(shortest, 1, nameof(shortest));
        Size = size;
        int index = 0;
        foreach (string text in texts)
        {
            string[] words = Words(text);
            if (words.Length < Math.Min(size, shortest))
            {
                Ignored++;
            }
            else
            {
                int length = Math.Min(size, words.Length);
                sizes.Add(length);
                for (int start = 0; start + length <= words.Length; start++)
                    ngrams.TryAdd(string.Join(' ', words, start, length), index);
            }
            index++;
        }
    }

    /// <summary>n.</summary>
    public int Size { get; }

    /// <summary>Different n-grams.</summary>
    public int Count => ngrams.Count;

    /// <summary>Texts that are too short to be found.</summary>
    public int Ignored { get; }

    /// <summary>Returns the first n-gram of the text that the benchmark has, or null.</summary>
    public NgramMatch? Find(string text)
    {
        string[] words = Words(text);
        for (int start = 0; start < words.Length; start++)
        {
            foreach (int length in sizes)
            {
                if (start + length > words.Length)
                    break;
                string ngram = string.Join(' ', words, start, length);
                if (ngrams.TryGetValue(ngram, out int index))
                    return new NgramMatch(ngram, index);
            }
        }
        return null;
    }

    private static string[] Words(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var letters = new char[text.Length];
        for (int i = 0; i < letters.Length; i++)
            letters[i] = char.IsLetterOrDigit(text[i]) ? char.ToLowerInvariant(text[i]) : ' ';
        return new string(letters).Split(' ', StringSplitOptions.RemoveEmptyEntries);
    }
}
