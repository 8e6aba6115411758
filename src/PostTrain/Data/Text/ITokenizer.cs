namespace PostTrain.Data.Text;

/// <summary>Turns text into token ids and back. Implementations are immutable and safe to share between threads.</summary>
public interface ITokenizer
{
    /// <summary>The number of ids: valid ones are 0 to <c>VocabularySize - 1</c>. A model's output may be wider (padding of its
    /// matrix).</summary>
    int VocabularySize { get; }

    /// <summary>The id that ends a completion, or null where the vocabulary has none.</summary>
    int? EndOfSequenceId { get; }

    /// <summary>The id that fills the places of a batch which hold no token.</summary>
    int PaddingId { get; }

    /// <summary>The ids of a text. The end of the sequence is not appended.</summary>
    /// <exception cref="ArgumentException">The text has a character that the vocabulary cannot express.</exception>
    int[] Encode(string text);

    /// <summary>The text of ids. Ids that only mark (beginning, end, padding) add nothing to it.</summary>
    /// <exception cref="ArgumentException">An id is outside the vocabulary.</exception>
    string Decode(ReadOnlySpan<int> ids);
}
