using System.Globalization;
using System.Text.Json;

namespace PostTrain.Text.HuggingFace;

/// <summary>Tokens and their ids.</summary>
internal sealed class TokenVocabulary
{
    private const int MaximumId = 1 << 24;
    private readonly Dictionary<string, int> ids;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> lookup;

    private TokenVocabulary(Dictionary<string, int> ids)
    {
        this.ids = ids;
        lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        LongestToken = ids.Keys.Select(token => token.Length).DefaultIfEmpty().Max();
    }

    internal int Count => ids.Count;

    internal int LongestToken { get; }

    internal IEnumerable<KeyValuePair<string, int>> Entries => ids;

    /// <summary>Returns the id of a token, or −1.</summary>
    internal int IdOf(ReadOnlySpan<char> token) => lookup.TryGetValue(token, out int id) ? id : -1;

    /// <summary>Returns the ids of the tokens &lt;0x00&gt; to &lt;0xFF&gt;; −1 for a missing one.</summary>
    internal int[] ByteIds() =>
        [.. Enumerable.Range(0, 256).Select(value => IdOf(string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>")))];

    /// <summary>Reads an object of tokens and ids.</summary>
    internal static TokenVocabulary Read(TokenizerNode node)
    {
        if (node.Element.ValueKind != JsonValueKind.Object)
            throw node.Refuse("an object of tokens and ids");
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        int highest = -1;
        foreach (var entry in node.Element.EnumerateObject())
        {
            string token = Name(node, entry);
            if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out int id) || id is < 0 or > MaximumId)
                throw new InvalidDataException(
                    $"{node.Place} gives the token '{token}' the id {new TokenizerNode(entry.Value, "").Shown()}, "
                        + $"expected a whole number from 0 to {MaximumId}"
                );
            ids[token] = id;
            highest = Math.Max(highest, id);
        }

        CheckDensity(node.Place, highest, ids.Count);
        return new TokenVocabulary(ids);
    }

    /// <summary>Creates a vocabulary whose ids are list positions; the last position of a duplicate token counts.</summary>
    internal static TokenVocabulary Of(IReadOnlyList<string> tokens)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int id = 0; id < tokens.Count; id++)
            ids[tokens[id]] = id;
        return new TokenVocabulary(ids);
    }

    /// <summary>Returns the tokens that begin with a prefix, without it.</summary>
    internal TokenVocabulary WithoutPrefix(string prefix) =>
        prefix.Length == 0
            ? this
            : new TokenVocabulary(
                ids.Where(entry => entry.Key.StartsWith(prefix, StringComparison.Ordinal))
                    .ToDictionary(entry => entry.Key[prefix.Length..], entry => entry.Value, StringComparer.Ordinal)
            );

    /// <summary>Rejects ids that would make the table of tokens many times longer than the number of tokens.</summary>
    internal static void CheckDensity(string place, int highest, int count)
    {
        if (highest >= 8L * count + 65536)
            throw new InvalidDataException(
                $"{place} has {count} tokens and the id {highest}, expected ids with few gaps, below {8L * count + 65536}"
            );
    }

    private static string Name(TokenizerNode node, JsonProperty entry)
    {
        try
        {
            return entry.Name;
        }
        catch (InvalidOperationException)
        {
            throw new InvalidDataException($"{node.Place} has a token that is not valid Unicode");
        }
    }
}
