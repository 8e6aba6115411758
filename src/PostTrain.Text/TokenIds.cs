namespace PostTrain.Text;

/// <summary>Checks shared by the tokenizers.</summary>
internal static class TokenIds
{
    internal static int Checked(ReadOnlySpan<int> ids, int index, int vocabularySize)
    {
        var id = ids[index];
        return (uint)id < (uint)vocabularySize
            ? id
            : throw new ArgumentException(
                $"ids[{index}] is {id}, expected an id from 0 to {vocabularySize - 1}; suppress others while sampling",
                nameof(ids)
            );
    }

    internal static ArgumentException Unknown(string text, int position, string vocabulary)
    {
        var character = char.IsSurrogatePair(text, position) ? text.Substring(position, 2) : text[position].ToString();
        var code = char.IsSurrogatePair(text, position) ? char.ConvertToUtf32(text, position) : text[position];
        return new ArgumentException(
            $"text has '{character}' (U+{code:X4}) at position {position}, expected only {vocabulary}",
            nameof(text)
        );
    }
}
