namespace PostTrain.Text.HuggingFace;

/// <summary>Adds special tokens around and between the sequences.</summary>
internal sealed class TemplatePostProcessor(TemplatePostProcessor.Item[] single, TemplatePostProcessor.Item[] pair) : PostProcessor
{
    private const int MaximumItems = 1024;

    /// <summary>An item of a template: a sequence (0 or 1), or special tokens.</summary>
    internal sealed record Item(int Sequence, int[] Ids, int Type);

    internal static TemplatePostProcessor Read(TokenizerNode node)
    {
        var ids = node.Get("special_tokens");
        return new TemplatePostProcessor(Template(node.Get("single"), ids, 1), Template(node.Get("pair"), ids, 2));
    }

    internal static TemplatePostProcessor Bert(int first, int separator) =>
        new(
            [Token(first, 0), Text(0, 0), Token(separator, 0)],
            [Token(first, 0), Text(0, 0), Token(separator, 0), Text(1, 1), Token(separator, 1)]
        );

    internal static TemplatePostProcessor Roberta(int first, int separator) =>
        new(
            [Token(first, 0), Text(0, 0), Token(separator, 0)],
            [Token(first, 0), Text(0, 0), Token(separator, 0), Token(separator, 0), Text(1, 0), Token(separator, 0)]
        );

    /// <summary>Creates a template with a beginning and an end token around each sequence.</summary>
    internal static TemplatePostProcessor Around(int? beginning, int? end)
    {
        Item[] Sequence(int index) =>
            [
                .. beginning is { } first ? [Token(first, index)] : Array.Empty<Item>(),
                Text(index, index),
                .. end is { } last ? [Token(last, index)] : Array.Empty<Item>(),
            ];
        return new TemplatePostProcessor(Sequence(0), [.. Sequence(0), .. Sequence(1)]);
    }

    internal override int Added(bool isPair) => (isPair ? pair : single).Sum(item => item.Ids.Length);

    internal override IReadOnlyList<EncodedPart> Apply(IReadOnlyList<EncodedPart> parts, bool special)
    {
        var output = new List<EncodedPart>();
        foreach (var item in parts.Count > 1 ? pair : single)
        {
            if (item.Sequence >= 0)
                output.Add(parts[item.Sequence] with { Type = item.Type });
            else if (special)
                output.Add(EncodedPart.Added(item.Ids, item.Type));
        }

        return output;
    }

    private static Item Token(int id, int type) => new(-1, [id], type);

    private static Item Text(int sequence, int type) => new(sequence, [], type);

    private static Item[] Template(TokenizerNode node, TokenizerNode tokens, int sequences)
    {
        var items = node.Items().ToArray();
        if (items.Length > MaximumItems)
            throw new InvalidDataException($"{node.Place} has {items.Length} items, expected at most {MaximumItems}");
        return
        [
            .. items.Select(item =>
            {
                if (item.Find("Sequence") is { } sequence)
                {
                    int index = sequence.Get("id").Text() switch
                    {
                        "A" => 0,
                        "B" when sequences == 2 => 1,
                        _ => throw sequence.Get("id").Refuse(sequences == 2 ? "A or B" : "A"),
                    };
                    return Text(index, sequence.Get("type_id").Integer(0, int.MaxValue));
                }

                var token = item.Get("SpecialToken");
                var ids = tokens.Get(token.Get("id").Text()).Get("ids").Items().Select(id => id.Integer(0, int.MaxValue)).ToArray();
                return new Item(-1, ids, token.Get("type_id").Integer(0, int.MaxValue));
            }),
        ];
    }
}
