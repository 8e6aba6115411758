namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public static partial class init
        {
            /// <summary>Whose spread is kept: the forward pass's (fan in) or the backward pass's (fan out).</summary>
            public enum FanInOut
            {
                FanIn,
                FanOut,
            }
        }
    }
}
