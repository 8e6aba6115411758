namespace PostTrain.Text.HuggingFace;

/// <summary>Removes a character from the ends of each token, up to given numbers.</summary>
internal sealed class StripDecoder(char character, int atStart, int atEnd) : TokenDecoder
{
    internal override List<string> Apply(List<string> tokens) =>
        tokens.ConvertAll(token =>
        {
            int start = 0,
                end = token.Length;
            while (start < Math.Min(atStart, token.Length) && token[start] == character)
                start++;
            while (end > start && token.Length - end < atEnd && token[end - 1] == character)
                end--;
            return token[start..end];
        });
}
