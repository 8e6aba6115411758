namespace PostTrain.Text.HuggingFace;

/// <summary>A token that is matched in the text before the model processes it.</summary>
/// <param name="Content">Its text.</param>
/// <param name="Id">Its id.</param>
/// <param name="SingleWord">True to match only without adjacent word characters.</param>
/// <param name="StripsLeft">True to include the white space before it.</param>
/// <param name="StripsRight">True to include the white space after it.</param>
/// <param name="Normalized">True to match the normalised token in the normalised text.</param>
/// <param name="Special">True if it is left out when special tokens are skipped.</param>
internal sealed record AddedToken(string Content, int Id, bool SingleWord, bool StripsLeft, bool StripsRight, bool Normalized, bool Special)
{
    internal static AddedToken Read(TokenizerNode node, int id) =>
        new(
            node.Get("content").Text(),
            id,
            node.Flag("single_word", false),
            node.Flag("lstrip", false),
            node.Flag("rstrip", false),
            node.Flag("normalized", true),
            node.Flag("special", false)
        );
}
