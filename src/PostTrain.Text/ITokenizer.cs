using System.Collections.ObjectModel;

namespace PostTrain.Text;

/// <summary>Converts text to token ids and back. Implementations are immutable and thread-safe.</summary>
public interface ITokenizer
{
    /// <summary>Number of ids: valid ones are 0 to <c>VocabularySize - 1</c>. A model's output may be wider (padded matrix).</summary>
    int VocabularySize { get; }

    /// <summary>The id that ends a completion; null if the vocabulary has none.</summary>
    int? EndOfSequenceId { get; }

    /// <summary>All ids that end a completion: <see cref="EndOfSequenceId"/> first, then those named by the files beside the
    /// tokenizer.</summary>
    IReadOnlyList<int> EndOfSequenceIds => EndOfSequenceId is { } id ? [id] : [];

    /// <summary>The id at batch positions without a token.</summary>
    int PaddingId { get; }

    /// <summary>The tokenizer's files by their names in a model's directory: its own file, settings, special tokens and chat templates.
    /// Empty if it cannot be saved.</summary>
    IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Files => ReadOnlyDictionary<string, ReadOnlyMemory<byte>>.Empty;

    /// <summary>Encodes a text. The end of the sequence is not appended.</summary>
    /// <exception cref="ArgumentException">The text has a character that the vocabulary cannot represent.</exception>
    int[] Encode(string text);

    /// <summary>Encodes a text: plain text like <see cref="Encode(string)"/>, text rendered by a template without adding special
    /// tokens.</summary>
    /// <remarks>A tokenizer that adds no special tokens need not implement this.</remarks>
    int[] Encode(MarkedText text) => Encode(text.Text);

    /// <summary>Decodes ids. Special ids (beginning, end, padding) are left out.</summary>
    /// <exception cref="ArgumentException">An id is outside the vocabulary.</exception>
    string Decode(ReadOnlySpan<int> ids);

    /// <summary>Decodes ids, with the special ids left out or spelled.</summary>
    /// <remarks>A tokenizer whose special ids have no spelling need not implement this.</remarks>
    string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens) => Decode(ids);
}
