namespace PostTrain.Text;

/// <summary>A tokenizer that gives the source range of each token.</summary>
public interface IOffsetTokenizer : ITokenizer
{
    /// <summary>Encodes a text with the source range of each token.</summary>
    /// <param name="text">The text.</param>
    /// <param name="addSpecialTokens">True to add the special tokens that the tokenizer puts around a text.</param>
    TokenEncoding EncodeWithOffsets(string text, bool addSpecialTokens);

    /// <inheritdoc/>
    int[] ITokenizer.Encode(MarkedText text) =>
        text.IsRendered ? EncodeWithOffsets(text.Text, addSpecialTokens: false).Ids : Encode(text.Text);
}
