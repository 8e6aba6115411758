using System.Numerics;

namespace PostTrain.Data.Curation;

/// <summary>Length of the longest common subsequence of two sequences of small numbers, 64 cells of the table at a time.</summary>
/// <remarks>
/// Hyyrö 2004, "Bit-parallel LCS-length computation revisited": a column of the table is a row of bits V, 1 where the length does not grow;
/// a token y takes it to (V + (V ∧ M_y)) ∨ (V ∧ ¬M_y), M_y being the places of y. Sequences of more than 64 tokens go through in blocks,
/// with the sum's carry handed on at each token.
/// </remarks>
internal static class CommonSubsequence
{
    internal const int Block = 64;

    /// <summary>The length, in O(n·m/64) time and O(min(n, m)) memory.</summary>
    /// <param name="first">Any numbers.</param>
    /// <param name="second">Any numbers.</param>
    internal static int Length(ReadOnlySpan<int> first, ReadOnlySpan<int> second)
    {
        // All that is kept belongs to the shorter: its tokens numbered from 0, where each stands in the longer's block, and a carry each.
        if (first.Length < second.Length)
            return Length(second, first);
        var numbers = new Dictionary<int, int>(second.Length);
        var text = new int[second.Length];
        for (int j = 0; j < text.Length; j++)
        {
            if (!numbers.TryGetValue(second[j], out int number))
                numbers[second[j]] = number = numbers.Count;
            text[j] = number;
        }

        var masks = new ulong[numbers.Count];
        var carries = new bool[text.Length];
        int length = 0;
        for (int start = 0; start < first.Length; start += Block)
        {
            var block = first[start..Math.Min(start + Block, first.Length)];
            Array.Clear(masks);
            for (int i = 0; i < block.Length; i++)
                if (numbers.TryGetValue(block[i], out int number))
                    masks[number] |= 1UL << i;
            length += Advance(masks, text, carries, block.Length);
        }
        return length;
    }

    /// <summary>One block of up to 64 places against all tokens: by how much the length grows there.</summary>
    /// <param name="masks">For each token, the places of the block where it stands.</param>
    /// <param name="text">Tokens, as indices of <paramref name="masks"/>.</param>
    /// <param name="carries">For each token of the text, the carry of the block before; becomes that of this one.</param>
    /// <param name="places">Places of the block.</param>
    internal static int Advance(ReadOnlySpan<ulong> masks, ReadOnlySpan<int> text, Span<bool> carries, int places)
    {
        ulong column = ulong.MaxValue;
        for (int j = 0; j < text.Length; j++)
        {
            ulong matches = column & masks[text[j]],
                sum = column + matches;
            bool carry = sum < column;
            if (carries[j] && ++sum == 0)
                carry = true;
            carries[j] = carry;
            column = sum | (column & ~masks[text[j]]);
        }
        ulong counted = places == Block ? ulong.MaxValue : (1UL << places) - 1;
        return BitOperations.PopCount(~column & counted);
    }

    /// <summary>Case of a single block, without a carry.</summary>
    internal static int Single(ReadOnlySpan<ulong> masks, ReadOnlySpan<int> text, int places)
    {
        ulong column = ulong.MaxValue;
        foreach (int token in text)
        {
            ulong stands = masks[token];
            column = (column + (column & stands)) | (column & ~stands);
        }
        ulong counted = places == Block ? ulong.MaxValue : (1UL << places) - 1;
        return BitOperations.PopCount(~column & counted);
    }
}
