"""What providers say of orders, trades and positions, and what that changes. PURE."""
