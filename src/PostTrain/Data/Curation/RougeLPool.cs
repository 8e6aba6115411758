using System.Buffers;

namespace PostTrain.Data.Curation;

/// <summary>Texts that new ones are compared with by ROUGE-L: which of them is nearest, exactly.</summary>
/// <remarks>
/// Words are numbered once, and the words' places in a new text are rows of bits, so that a text of the pool costs about one step a word.
/// Texts whose length alone keeps them below the best so far are passed over. Comparing from several threads is safe while nobody adds.
/// </remarks>
internal sealed class RougeLPool
{
    private readonly Dictionary<string, int> ids = new(StringComparer.Ordinal);
    private readonly List<int[]> texts = [];
    private int longest;

    /// <summary>Texts in the pool.</summary>
    public int Count => texts.Count;

    /// <summary>Adds a text; its index is the count before.</summary>
    /// <param name="text">Any text; one without a word is like no other.</param>
    public void Add(string text)
    {
        var words = RougeL.Words(text);
        var numbers = new int[words.Count];
        for (int i = 0; i < numbers.Length; i++)
        {
            if (!ids.TryGetValue(words[i], out int id))
                ids[words[i]] = id = ids.Count;
            numbers[i] = id;
        }
        texts.Add(numbers);
        longest = Math.Max(longest, numbers.Length);
    }

    /// <summary>The text of the pool with the greatest F1, the first of several; an index of −1 and an F1 of 0 where none has a word in
    /// common.</summary>
    /// <param name="text">What is compared.</param>
    public (int Index, double F1) Nearest(string text)
    {
        var words = RougeL.Words(text);
        int blocks = (words.Count + CommonSubsequence.Block - 1) / CommonSubsequence.Block,
            width = ids.Count;
        if (blocks == 0 || width == 0)
            return (-1, 0);
        var masks = ArrayPool<ulong>.Shared.Rent(checked(blocks * width));
        var carries = ArrayPool<bool>.Shared.Rent(longest);
        Array.Clear(masks, 0, blocks * width);
        try
        {
            for (int i = 0; i < words.Count; i++)
                if (ids.TryGetValue(words[i], out int id))
                    masks[i / CommonSubsequence.Block * width + id] |= 1UL << i % CommonSubsequence.Block;
            return Nearest(masks, carries, words.Count, width);
        }
        finally
        {
            ArrayPool<ulong>.Shared.Return(masks);
            ArrayPool<bool>.Shared.Return(carries);
        }
    }

    private (int Index, double F1) Nearest(ulong[] masks, bool[] carries, int words, int width)
    {
        var (nearest, best) = (-1, new RougeLScore(0, words, 0));
        for (int index = 0; index < texts.Count; index++)
        {
            var text = texts[index];
            if (new RougeLScore(Math.Min(words, text.Length), words, text.Length).F1 <= best.F1)
                continue;
            var score = new RougeLScore(Common(masks, carries, text, words, width), words, text.Length);
            if (score.F1 > best.F1)
                (nearest, best) = (index, score);
        }
        return (nearest, best.F1);
    }

    private static int Common(ulong[] masks, bool[] carries, int[] text, int words, int width)
    {
        if (words <= CommonSubsequence.Block)
            return CommonSubsequence.Single(masks, text, words);
        var handed = carries.AsSpan(0, text.Length);
        handed.Clear();
        int common = 0;
        for (int start = 0; start < words; start += CommonSubsequence.Block)
            common += CommonSubsequence.Advance(
                masks.AsSpan(start / CommonSubsequence.Block * width, width),
                text,
                handed,
                Math.Min(CommonSubsequence.Block, words - start)
            );
        return common;
    }
}
