using System.Text;

namespace PostTrain.Text.HuggingFace;

/// <summary>Unigram (Kudo 2018, arXiv:1804.10959): the segmentation with the highest sum of scores, by Viterbi's algorithm.</summary>
/// <remarks>A character that no token covers has the lowest score minus 10; adjacent unknown characters are one token.</remarks>
internal sealed class UnigramModel : TokenModel
{
    private const double UnknownPenalty = 10;
    private readonly TokenVocabulary vocabulary;
    private readonly double[] scores;
    private readonly int unknownId;
    private readonly double unknownScore;
    private readonly int[]? byteIds;
    private readonly Dictionary<long, int> edges = [];
    private readonly List<int> idAt = [-1];

    private UnigramModel(string[] tokens, double[] scores, int unknownId, bool byteFallback)
    {
        vocabulary = TokenVocabulary.Of(tokens);
        this.scores = scores;
        this.unknownId = unknownId;
        unknownScore = scores.DefaultIfEmpty().Min() - UnknownPenalty;
        byteIds = byteFallback ? vocabulary.ByteIds() : null;
        foreach (var (token, id) in vocabulary.Entries)
        {
            int node = 0;
            foreach (char unit in token)
            {
                if (!edges.TryGetValue(Edge(node, unit), out int next))
                {
                    edges[Edge(node, unit)] = next = idAt.Count;
                    idAt.Add(-1);
                }

                node = next;
            }

            if (node > 0)
                idAt[node] = id;
        }
    }

    internal override TokenVocabulary Vocabulary => vocabulary;

    internal static UnigramModel From(TokenizerNode node)
    {
        var entries = node.Get("vocab").Items().Select(item => item.Items().ToArray()).ToArray();
        if (Array.Find(entries, entry => entry.Length != 2) is not null)
            throw node.Get("vocab").Refuse("pairs of a token and its score");
        int unknown = node.Find("unk_id")?.Integer(0, entries.Length - 1) ?? -1;
        return new UnigramModel(
            [.. entries.Select(entry => entry[0].Text())],
            [.. entries.Select(entry => entry[1].Number())],
            unknown,
            node.Flag("byte_fallback", false)
        );
    }

    internal override void Tokenize(ReadOnlySpan<char> piece, List<ModelToken> output)
    {
        // best[i]: the best segmentation of the first i units: its score, and the start and id of its last token.
        var best = new (double Score, int Start, int Id)[piece.Length + 1];
        for (int i = 1; i < best.Length; i++)
            best[i].Start = -1;
        for (int start = 0; start < piece.Length; )
        {
            int width = char.IsHighSurrogate(piece[start]) ? 2 : 1;
            bool single = false;
            int node = 0;
            for (int end = start; end < piece.Length && edges.TryGetValue(Edge(node, piece[end]), out node); )
            {
                end++;
                if (idAt[node] is not (>= 0 and var id))
                    continue;
                Offer(best, start, end, id, scores[id]);
                single |= end == start + width;
            }

            if (!single)
                Offer(
                    best,
                    start,
                    start + width,
                    unknownId >= 0
                        ? unknownId
                        : throw new ArgumentException(
                            "text has a character that the vocabulary lacks, and there is no unknown token",
                            nameof(piece)
                        ),
                    unknownScore
                );
            start += width;
        }

        int first = output.Count;
        for (int end = piece.Length; end > 0; )
        {
            var (_, start, id) = best[end];
            while (id == unknownId && start > 0 && best[start].Id == unknownId)
                start = best[start].Start;
            output.Add(new ModelToken(id, start, end));
            end = start;
        }

        output.Reverse(first, output.Count - first);
        Resolve(piece, output, first);
    }

    // Unknown ranges: a token of the same spelling, bytes, or the unknown token.
    private void Resolve(ReadOnlySpan<char> piece, List<ModelToken> output, int first)
    {
        if (output.FindIndex(first, token => token.Id == unknownId) < 0)
            return;
        var found = output.GetRange(first, output.Count - first);
        output.RemoveRange(first, found.Count);
        foreach (var token in found)
        {
            var text = piece[token.Start..token.End];
            byte[] utf8 = token.Id == unknownId && byteIds is not null ? Encoding.UTF8.GetBytes(text.ToArray()) : [];
            int known = token.Id == unknownId ? vocabulary.IdOf(text) : token.Id;
            if (known >= 0)
                output.Add(token with { Id = known });
            else if (utf8.Length > 0 && utf8.All(value => byteIds![value] >= 0))
                foreach (byte value in utf8)
                    output.Add(token with { Id = byteIds![value] });
            else
                output.Add(token);
        }
    }

    private static void Offer((double Score, int Start, int Id)[] best, int start, int end, int id, double score)
    {
        double candidate = best[start].Score + score;
        if (best[end].Start < 0 || candidate > best[end].Score)
            best[end] = (candidate, start, id);
    }

    private static long Edge(int node, char unit) => ((long)node << 16) | unit;
}
