using System.Collections.ObjectModel;

namespace PostTrain.Text;

/// <summary>Turns text into token ids and back. Implementations are immutable and safe to share between threads.</summary>
public interface ITokenizer
{
    /// <summary>The number of ids: valid ones are 0 to <c>VocabularySize - 1</c>. A model's output may be wider (padding of its
    /// matrix).</summary>
    int VocabularySize { get; }

    /// <summary>The id that ends a completion, or null where the vocabulary has none.</summary>
    int? EndOfSequenceId { get; }

    /// <summary>All ids that end a completion: <see cref="EndOfSequenceId"/> first, then those that the files beside the tokenizer
    /// name.</summary>
    IReadOnlyList<int> EndOfSequenceIds => EndOfSequenceId is { } id ? [id] : [];

    /// <summary>The id that fills the places of a batch which hold no token.</summary>
    int PaddingId { get; }

    /// <summary>The files that hold the tokenizer, by their names in a model's directory: its own, and the settings, special tokens and
    /// chat templates beside it. Empty where it has no form on disk.</summary>
    IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Files => ReadOnlyDictionary<string, ReadOnlyMemory<byte>>.Empty;

    /// <summary>The ids of a text. The end of the sequence is not appended.</summary>
    /// <exception cref="ArgumentException">The text has a character that the vocabulary cannot express.</exception>
    int[] Encode(string text);

    /// <summary>The ids of a text: of plain text those of <see cref="Encode(string)"/>; of text that a template rendered those that are
    /// written in it, and no others.</summary>
    /// <remarks>A tokenizer that adds no special tokens need not implement this.</remarks>
    int[] Encode(MarkedText text) => Encode(text.Text);

    /// <summary>The text of ids. Ids that only mark (beginning, end, padding) add nothing to it.</summary>
    /// <exception cref="ArgumentException">An id is outside the vocabulary.</exception>
    string Decode(ReadOnlySpan<int> ids);

    /// <summary>The text of ids, with the ids that only mark left out or spelt.</summary>
    /// <remarks>A tokenizer whose marks have no spelling need not implement this.</remarks>
    string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens) => Decode(ids);
}
