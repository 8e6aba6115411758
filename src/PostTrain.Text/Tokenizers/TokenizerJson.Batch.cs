using PostTrain.Text.HuggingFace;

namespace PostTrain.Text;

/// <summary>Truncation, pairs and batches.</summary>
public sealed partial class TokenizerJson
{
    /// <summary>Encodes a text, truncated according to the options; padding applies to batches only.</summary>
    /// <exception cref="ArgumentException">The options leave no room for the special tokens.</exception>
    public TokenEncoding Encode(string text, EncodingOptions options)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(options);
        var part = pipeline.Encode(text, 0, offsets: true);
        if (Room(options, pair: false) is { } room)
            part = part.Truncate(room, KeepsEnd(options));
        return Encoding(Finish([part], options.AddSpecialTokens));
    }

    /// <summary>Encodes two texts as one sequence, such as a question and an answer.</summary>
    /// <remarks>Truncation shortens the longer text until both are equal, then both. Offsets are relative to each token's own
    /// text.</remarks>
    /// <param name="first">The first text.</param>
    /// <param name="second">The second text.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">The options leave no room for the special tokens.</exception>
    public TokenEncoding EncodePair(string first, string second, EncodingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        options ??= new EncodingOptions();
        var (left, right) = (pipeline.Encode(first, 0, offsets: true), pipeline.Encode(second, 1, offsets: true));
        if (Room(options, pair: true) is { } room && left.Ids.Length + right.Ids.Length > room)
        {
            var (shorter, longer) = (Math.Min(left.Ids.Length, right.Ids.Length), room - Math.Min(left.Ids.Length, right.Ids.Length));
            if (longer < shorter)
                (shorter, longer) = (room / 2, room - room / 2);
            bool leftIsLonger = left.Ids.Length > right.Ids.Length;
            left = left.Truncate(leftIsLonger ? longer : shorter, KeepsEnd(options));
            right = right.Truncate(leftIsLonger ? shorter : longer, KeepsEnd(options));
        }

        return Encoding(Finish([left, right], options.AddSpecialTokens));
    }

    /// <summary>Encodes texts and pads them to the same length.</summary>
    /// <param name="texts">At least one text.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">There are no texts, or the options contradict each other.</exception>
    public TokenBatch EncodeBatch(IReadOnlyList<string> texts, EncodingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(texts);
        options ??= new EncodingOptions();
        return Pad([.. texts.Select(text => Encode(text, options))], options);
    }

    /// <summary>Pads encodings of texts or pairs to the same length.</summary>
    /// <param name="encodings">At least one encoding.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">There are no encodings, or the options require a maximum length and do not give it.</exception>
    public TokenBatch Pad(IReadOnlyList<TokenEncoding> encodings, EncodingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(encodings);
        options ??= new EncodingOptions();
        if (options.PadToMultipleOf < 1)
            throw new ArgumentOutOfRangeException(nameof(options), options.PadToMultipleOf, "PadToMultipleOf must be at least 1");
        if (encodings.Count == 0)
            throw new ArgumentException("encodings is empty, expected at least one", nameof(encodings));
        if (options is { PadToMaximumLength: true, MaximumLength: null })
            throw new ArgumentException("options pad to MaximumLength, expected it to be set", nameof(options));
        long length = encodings.Max(encoding => encoding.Ids.Length);
        if (options.PadToMaximumLength)
            length = Math.Max(length, options.MaximumLength!.Value);
        length = (length + options.PadToMultipleOf - 1) / options.PadToMultipleOf * options.PadToMultipleOf;
        var (ids, attention, types, special) = (
            new long[encodings.Count, length],
            new long[encodings.Count, length],
            new long[encodings.Count, length],
            new long[encodings.Count, length]
        );
        for (int row = 0; row < encodings.Count; row++)
        {
            var encoding = encodings[row];
            long first = (options.PaddingSide ?? Config.PaddingSide) == PaddingSide.Left ? length - encoding.Ids.Length : 0;
            for (long column = 0; column < length; column++)
                (ids[row, column], special[row, column]) = (PaddingId, 1);
            for (int i = 0; i < encoding.Ids.Length; i++)
            {
                ids[row, first + i] = encoding.Ids[i];
                attention[row, first + i] = 1;
                types[row, first + i] = encoding.TypeIds[i];
                special[row, first + i] = encoding.Special[i] ? 1 : 0;
            }
        }

        return new TokenBatch(ids, attention, types, special);
    }

    private bool KeepsEnd(EncodingOptions options) => (options.TruncationSide ?? Config.TruncationSide) == TruncationSide.Left;

    // Returns the number of text tokens that fit beside the special tokens.
    private int? Room(EncodingOptions options, bool pair)
    {
        if (options.MaximumLength is not { } maximum)
            return null;
        int added = options.AddSpecialTokens ? pipeline.PostProcessor?.Added(pair) ?? 0 : 0;
        return maximum >= added && maximum >= 0
            ? maximum - added
            : throw new ArgumentException(
                $"options have a maximum length of {maximum}, expected at least {added}, the number of special tokens",
                nameof(options)
            );
    }

    private static TokenEncoding Encoding(IReadOnlyList<EncodedPart> parts) =>
        new([.. parts.SelectMany(part => part.Ids)], [.. parts.SelectMany(part => part.Offsets)])
        {
            TypeIds = [.. parts.SelectMany(part => Enumerable.Repeat(part.Type, part.Ids.Length))],
            Special = [.. parts.SelectMany(part => Enumerable.Repeat(part.Special, part.Ids.Length))],
        };
}
