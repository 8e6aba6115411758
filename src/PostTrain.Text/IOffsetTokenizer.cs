namespace PostTrain.Text;

/// <summary>A tokenizer that says which part of the text each token comes from.</summary>
public interface IOffsetTokenizer : ITokenizer
{
    /// <summary>The ids of a text and where each comes from.</summary>
    /// <param name="text">The text.</param>
    /// <param name="addSpecialTokens">Whether the special tokens that the tokenizer puts around a text are added.</param>
    TokenEncoding EncodeWithOffsets(string text, bool addSpecialTokens);

    /// <inheritdoc/>
    int[] ITokenizer.Encode(MarkedText text) =>
        text.IsRendered ? EncodeWithOffsets(text.Text, addSpecialTokens: false).Ids : Encode(text.Text);
}
