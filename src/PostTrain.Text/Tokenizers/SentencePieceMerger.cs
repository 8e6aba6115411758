using System.Text;

namespace PostTrain.Text;

/// <summary>The merge loop of SentencePiece's byte-pair encoding: a linked list of pieces and a queue of possible merges, O(n log
/// n).</summary>
/// <param name="ids">The ids of the pieces that can occur in text; keys are bytes as Latin-1 text.</param>
/// <param name="scores">The score of each id.</param>
/// <param name="byteIds">The id of each byte's fallback piece.</param>
internal sealed class SentencePieceMerger(Dictionary<string, int> ids, float[] scores, int[] byteIds)
{
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> idOf = ids.GetAlternateLookup<ReadOnlySpan<char>>();

    // Negated score first, because the queue returns the minimum; then the position, so that the leftmost wins a tie.
    private readonly record struct Priority(float NegatedScore, int Start) : IComparable<Priority>
    {
        public int CompareTo(Priority other) =>
            NegatedScore.CompareTo(other.NegatedScore) is var order and not 0 ? order : Start.CompareTo(other.Start);
    }

    private readonly record struct Merge(int Left, int Right, int Length, int Id);

    private struct Symbol
    {
        internal int Start,
            Length,
            Id,
            Previous,
            Next;
        internal bool FromByte;
    }

    /// <summary>Appends the ids of UTF-8 text.</summary>
    internal void Encode(ReadOnlySpan<byte> utf8, List<int> output)
    {
        var text = Encoding.Latin1.GetString(utf8);
        var symbols = Split(utf8, text);
        var queue = new PriorityQueue<Merge, Priority>();
        for (var left = 0; left + 1 < symbols.Length; left++)
            Propose(left, text, symbols, queue);

        while (queue.TryDequeue(out var merge, out _))
        {
            // A merge is stale if one of its two symbols has since grown or been merged.
            ref var left = ref symbols[merge.Left];
            if (left.Length == 0 || left.Next != merge.Right || left.Length + symbols[merge.Right].Length != merge.Length)
                continue;
            ref var right = ref symbols[merge.Right];
            left.Length = merge.Length;
            left.Id = merge.Id;
            left.Next = right.Next;
            right.Length = 0;
            if (left.Next >= 0)
            {
                symbols[left.Next].Previous = merge.Left;
                Propose(merge.Left, text, symbols, queue);
            }

            if (left.Previous >= 0)
                Propose(left.Previous, text, symbols, queue);
        }

        for (var index = 0; index >= 0; index = symbols[index].Next)
            output.Add(symbols[index].Id);
    }

    private Symbol[] Split(ReadOnlySpan<byte> utf8, string text)
    {
        var symbols = new List<Symbol>(utf8.Length);
        for (var start = 0; start < utf8.Length; )
        {
            _ = Rune.DecodeFromUtf8(utf8[start..], out _, out var length);
            if (idOf.TryGetValue(text.AsSpan(start, length), out var id))
            {
                symbols.Add(
                    new Symbol
                    {
                        Start = start,
                        Length = length,
                        Id = id,
                    }
                );
            }
            else
            {
                for (var i = start; i < start + length; i++)
                    symbols.Add(
                        new Symbol
                        {
                            Start = i,
                            Length = 1,
                            Id = byteIds[utf8[i]],
                            FromByte = true,
                        }
                    );
            }

            start += length;
        }

        var array = symbols.ToArray();
        for (var i = 0; i < array.Length; i++)
        {
            array[i].Previous = i - 1;
            array[i].Next = i + 1 < array.Length ? i + 1 : -1;
        }

        return array;
    }

    private void Propose(int leftIndex, string text, Symbol[] symbols, PriorityQueue<Merge, Priority> queue)
    {
        ref var left = ref symbols[leftIndex];
        ref var right = ref symbols[left.Next];
        if (left.FromByte || right.FromByte)
            return;
        var length = left.Length + right.Length;
        if (idOf.TryGetValue(text.AsSpan(left.Start, length), out var id))
            queue.Enqueue(new Merge(leftIndex, left.Next, length, id), new Priority(-scores[id], left.Start));
    }
}
