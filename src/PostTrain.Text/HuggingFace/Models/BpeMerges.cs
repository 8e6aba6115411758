using System.Runtime.InteropServices;
using System.Text.Json;

namespace PostTrain.Text.HuggingFace;

/// <summary>The merges of a byte-pair encoding and their application to a word, in O(n log n).</summary>
internal sealed class BpeMerges
{
    private const int ShortWord = 24;
    private readonly Dictionary<long, (int Rank, int Id)> merges;
    private readonly HashSet<int> joins = [];
    private readonly HashSet<int> used = [];

    private BpeMerges(Dictionary<long, (int, int)> merges) => this.merges = merges;

    /// <summary>Returns true if some merge joins a token that ends with one unit to one that begins with another.</summary>
    internal bool Joins(char left, char right) => joins.Contains((left << 16) | right);

    /// <summary>Returns true if a token takes part in some merge.</summary>
    internal bool Uses(int id) => used.Contains(id);

    /// <summary>Reads merges, as pairs or as texts with a space between.</summary>
    /// <param name="node">The array.</param>
    /// <param name="vocabulary">Contains every merged token and every result.</param>
    /// <param name="prefixLength">Number of leading characters of a right token that the merged token lacks.</param>
    internal static BpeMerges Read(TokenizerNode node, TokenVocabulary vocabulary, int prefixLength)
    {
        if (node.Element.ValueKind != JsonValueKind.Array)
            throw node.Refuse("an array of merges");
        var merges = new BpeMerges(new Dictionary<long, (int, int)>(node.Element.GetArrayLength()));
        int rank = 0;
        foreach (var item in node.Element.EnumerateArray())
        {
            var place = new TokenizerNode(item, $"{node.Place}[{rank}]");
            // The first line of a merges file, which some files include among the merges.
            if (item.ValueKind == JsonValueKind.String && place.Text().StartsWith("#version", StringComparison.Ordinal))
                continue;
            var (left, right) = Pair(place);
            int leftId = vocabulary.IdOf(left),
                rightId = vocabulary.IdOf(right);
            int id = right.Length >= prefixLength ? vocabulary.IdOf(string.Concat(left, right.AsSpan(prefixLength))) : -1;
            if (leftId < 0 || rightId < 0 || id < 0)
                throw new InvalidDataException(
                    $"{place.Place} merges '{left}' and '{right}', expected tokens of the vocabulary whose merge is a token"
                );
            merges.merges[Key(leftId, rightId)] = (rank, id);
            merges.used.Add(leftId);
            merges.used.Add(rightId);
            if (left.Length > 0 && right.Length > 0)
                merges.joins.Add((left[^1] << 16) | right[0]);
            rank++;
        }

        return merges;
    }

    /// <summary>Merges the symbols of a word and appends the result.</summary>
    internal void Apply(List<ModelToken> symbols, List<ModelToken> output)
    {
        if (symbols.Count <= ShortWord)
            ApplyByScan(symbols);
        else
            ApplyByQueue(symbols);
        output.AddRange(CollectionsMarshal.AsSpan(symbols));
    }

    // Finds the lowest rank by scanning all pairs, the fastest method for a word.
    private void ApplyByScan(List<ModelToken> symbols)
    {
        while (true)
        {
            int best = -1;
            var merge = (Rank: int.MaxValue, Id: 0);
            for (int i = 0; i + 1 < symbols.Count; i++)
            {
                if (merges.TryGetValue(Key(symbols[i].Id, symbols[i + 1].Id), out var found) && found.Rank < merge.Rank)
                    (best, merge) = (i, found);
            }

            if (best < 0)
                return;
            symbols[best] = new ModelToken(merge.Id, symbols[best].Start, symbols[best + 1].End);
            symbols.RemoveAt(best + 1);
        }
    }

    // Candidates by rank and position in a queue, symbols in a doubly linked list. A candidate is stale if its pair no longer exists.
    private void ApplyByQueue(List<ModelToken> symbols)
    {
        var tokens = CollectionsMarshal.AsSpan(symbols);
        var next = new int[tokens.Length];
        var previous = new int[tokens.Length];
        var gone = new bool[tokens.Length];
        var queue = new PriorityQueue<(int Place, int Id), long>();
        for (int i = 0; i < tokens.Length; i++)
        {
            (previous[i], next[i]) = (i - 1, i + 1 < tokens.Length ? i + 1 : -1);
            if (next[i] >= 0)
                Propose(i, tokens[i].Id, tokens[i + 1].Id, queue);
        }

        while (queue.TryDequeue(out var candidate, out _))
        {
            int place = candidate.Place,
                right = next[place];
            if (gone[place] || right < 0)
                continue;
            if (!merges.TryGetValue(Key(tokens[place].Id, tokens[right].Id), out var merge) || merge.Id != candidate.Id)
                continue;
            tokens[place] = new ModelToken(merge.Id, tokens[place].Start, tokens[right].End);
            gone[right] = true;
            next[place] = next[right];
            if (next[place] >= 0)
            {
                previous[next[place]] = place;
                Propose(place, merge.Id, tokens[next[place]].Id, queue);
            }

            if (previous[place] >= 0)
                Propose(previous[place], tokens[previous[place]].Id, merge.Id, queue);
        }

        int kept = 0;
        for (int i = 0; i >= 0; i = next[i])
            tokens[kept++] = tokens[i];
        symbols.RemoveRange(kept, symbols.Count - kept);
    }

    private void Propose(int place, int left, int right, PriorityQueue<(int Place, int Id), long> queue)
    {
        if (merges.TryGetValue(Key(left, right), out var merge))
            queue.Enqueue((place, merge.Id), ((long)merge.Rank << 32) | (uint)place);
    }

    private static (string Left, string Right) Pair(TokenizerNode node)
    {
        if (node.Element.ValueKind == JsonValueKind.Array)
        {
            var parts = node.Items().ToArray();
            return parts.Length == 2 ? (parts[0].Text(), parts[1].Text()) : throw node.Refuse("a pair of tokens");
        }

        var text = node.Text().Split(' ');
        return text.Length == 2 ? (text[0], text[1]) : throw node.Refuse("two tokens with a space between");
    }

    private static long Key(int left, int right) => ((long)left << 32) | (uint)right;
}
