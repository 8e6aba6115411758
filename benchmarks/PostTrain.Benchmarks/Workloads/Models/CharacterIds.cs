using PostTrain.Text;

namespace PostTrain.Benchmarks.Workloads.Models;

/// <summary>Tokenizer with one character for each id, so that the length of a text is its number of tokens.</summary>
/// <remarks>Id i is the character U+4E00 + i. There is no end of sequence, and 0 pads.</remarks>
internal sealed class CharacterIds(int vocabularySize) : ITokenizer
{
    private const char First = '\u4e00';

    public int VocabularySize => vocabularySize;

    public int? EndOfSequenceId => null;

    public int PaddingId => 0;

    public int[] Encode(string text)
    {
        var ids = new int[text.Length];
        for (int i = 0; i < ids.Length; i++)
            ids[i] = text[i] - First;
        return ids;
    }

    public string Decode(ReadOnlySpan<int> ids)
    {
        var text = new char[ids.Length];
        for (int i = 0; i < text.Length; i++)
            text[i] = (char)(First + ids[i]);
        return new string(text);
    }
}
