using PostTrain.Text;

namespace PostTrain.Tests.Support;

/// <summary>A tokenizer whose ids are the characters' code points.</summary>
internal sealed class CodePoints : ITokenizer
{
    public int VocabularySize => 128;

    public int? EndOfSequenceId => null;

    public int PaddingId => 0;

    public int[] Encode(string text) => [.. text.Select(character => (int)character)];

    public string Decode(ReadOnlySpan<int> ids) => string.Concat(ids.ToArray().Select(id => (char)id));
}
